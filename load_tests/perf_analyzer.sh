#!/bin/sh
# Usage: perf_analyzer.sh FOLDER PYTHON
# Puts NVIDIA's perf_analyzer into FOLDER: the binary of its wheel, which wants a newer C library than Debian 12 has, and
# that of Debian 13 beside it, unpacked and not installed. FOLDER/perf_analyzer runs it; nothing else of the system changes.
set -eu

folder=$(mkdir -p "$1" && cd "$1" && pwd)
python=$(realpath --no-symlinks "$2")
wheel=perf-analyzer==2.60.0

[ ! -x "$folder/perf_analyzer" ] || exit 0
mkdir -p "$folder/apt/lists/partial" "$folder/apt/cache/archives/partial" "$folder/debs" "$folder/wheel"
echo "deb http://deb.debian.org/debian trixie main" > "$folder/apt/sources.list"
cd "$folder/debs"
set -- -o Dir::Etc::SourceList="$folder/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::State::Lists="$folder/apt/lists" -o Dir::Cache="$folder/apt/cache" -o APT::Sandbox::User=
apt-get "$@" update -qq
apt-get "$@" download -qq libc6 libstdc++6 libgcc-s1 libssl3t64 zlib1g
for deb in *.deb; do dpkg-deb --extract "$deb" "$folder/system"; done
cd "$folder"
"$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
    --platform manylinux_2_38_x86_64 --dest wheel "$wheel"
"$python" -m zipfile --extract wheel/*.whl wheel
binary=$(find wheel -type f -name perf_analyzer -print -quit)
chmod +x "$binary"
libraries=$(find "$folder/system" -type d -name x86_64-linux-gnu | tr '\n' ':')
cat > perf_analyzer <<RUN
#!/bin/sh
exec "$folder/system/usr/lib64/ld-linux-x86-64.so.2" --library-path "$libraries" "$folder/$binary" "\$@"
RUN
chmod +x perf_analyzer
