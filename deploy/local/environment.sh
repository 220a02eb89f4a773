#!/bin/sh
# Usage: environment.sh FOLDER EXTRAS [DEBIAN_PACKAGE ...]
# Makes a virtual environment in FOLDER with this checkout and its EXTRAS installed, and marks it with FOLDER/.ready.
# On Debian and Ubuntu it installs what Python lacks for that: the venv module, and the shared library that Triton loads.
set -eu

folder=$1
extras=$2
shift 2

log() { echo "set-up: $*" >&2; }

fail() { log "$*"; exit 1; }

supported() {
    "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null
}

find_python() {
    for candidate in ${PYTHON:-} python3 python3.12 python3.11 python3.10; do
        if supported "$candidate"; then echo "$candidate"; return; fi
    done
}

install_debian() {
    command -v apt-get >/dev/null || fail "missing: $*; this is neither Debian nor Ubuntu: install what corresponds to them"
    log "installing $*"
    as_root=
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || fail "missing: $*; run as root: apt-get install $*"
        as_root=sudo
    fi
    $as_root apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

python=$(find_python)
if [ -z "$python" ]; then
    install_debian python3
    python=$(find_python)
    [ -n "$python" ] || fail "Python 3.10, 3.11 or 3.12 is needed, and $(python3 --version) is what this system has." \
        "Install one beside it, for example with uv (https://docs.astral.sh/uv): uv python install 3.12;" \
        'then name it: PYTHON=$(uv python find 3.12) make demo'
fi

version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
packages=
"$python" -c 'import ensurepip, venv' 2>/dev/null || packages="$packages python$version-venv"
"$python" - <<'CHECK' 2>/dev/null || packages="$packages libpython$version"
import ctypes, os, sys, sysconfig
name = "libpython%d.%d.so.1.0" % sys.version_info[:2]
folders = sysconfig.get_config_var("LIBDIR") or "", os.path.join(sys.base_prefix, "lib")
beside = [path for folder in folders if os.path.exists(path := os.path.join(folder, name))]
ctypes.CDLL(beside[0] if beside else name)
CHECK
for package in "$@"; do
    dpkg -s "$package" >/dev/null 2>&1 || packages="$packages $package"
done
# shellcheck disable=SC2086 # a list of words
[ -z "$packages" ] || install_debian $packages

log "$folder with voicestress[$extras], Python $version"
[ -x "$folder/bin/python" ] || "$python" -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --editable ".[$extras]"
touch "$folder/.ready"
