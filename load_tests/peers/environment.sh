#!/bin/sh
# Usage: environment.sh FOLDER REQUIREMENTS DEVELOPMENT
# Makes a virtual environment in FOLDER with what REQUIREMENTS lists, and marks it with FOLDER/.ready.
# torch and transformers, 5 GB, are those of the environment DEVELOPMENT, looked for after what is in FOLDER itself.
# What can't be installed is no error: FOLDER/refused.txt says why, and whoever measures says it in turn.
set -eu

folder=$1
requirements=$2
development=$3

echo "set-up: $folder with $requirements" >&2
rm -rf "$folder"
"$development/bin/python" -m venv "$folder"
if ! "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: \
    --requirement "$requirements" 2>"$folder/pip.txt"; then
    cat "$folder/pip.txt" >&2
    grep '^ERROR' "$folder/pip.txt" | tail -1 >"$folder/refused.txt"
    echo "set-up: $requirements can't be installed here" >&2
    exit 0
fi
site_packages() { "$1/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))'; }
echo "import site; site.addsitedir('$(site_packages "$development")')" >"$(site_packages "$folder")/zz_development.pth"
touch "$folder/.ready"
