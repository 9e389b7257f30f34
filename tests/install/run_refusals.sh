#!/usr/bin/env bash
# run_refusals.sh RUN: where a step cannot be done, ./run ends with 78 and one sentence that says what to do. Needs root, for the
# other user, the missing network and the full disk.
set -euo pipefail
run=$1
[ "$(id -u)" = 0 ] && unshare -mn true 2>/dev/null || { echo "needs root and namespaces"; exit 77; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/tree" "$dir/shims" "$dir/small"
cp "$run" "$dir/tree/run"
chmod -R a+rX "$dir"
unset PIP_FIND_LINKS
export PIP_RETRIES=0 PIP_DISABLE_PIP_VERSION_CHECK=1

refuses() {  # what it shows, exit code, part of the sentence, command…
  local name=$1 code=$2 sentence=$3 status=0
  shift 3
  "$@" >"$dir/output" 2>&1 || status=$?
  if [ $status != "$code" ] || ! grep -q -- "$sentence" "$dir/output"; then
    echo "$name: wanted exit $code and '$sentence', got $status and"
    tail -n 5 "$dir/output"
    exit 1
  fi
  echo "$name: $(grep -- "$sentence" "$dir/output")"
}

refuses "an unknown command" 64 "there is no './run tset'" "$dir/tree/run" tset

# A machine where nothing is installed, as an ordinary user who has no sudo.
printf '#!/bin/sh\nexit 1\n' | tee "$dir/shims/dpkg-query" >"$dir/shims/sudo"
chmod 755 "$dir/shims"/*
refuses "no root" 78 "only root can install them: sudo apt-get install g++ cmake" \
  env PATH="$dir/shims:$PATH" HOME="$dir" setpriv --reuid=65534 --regid=65534 --clear-groups "$dir/tree/run" build

# The same machine without apt-get; a path of links leaves it out.
mkdir "$dir/no-apt"
ln -s "$(command -v bash)" "$(command -v dirname)" "$(command -v id)" "$dir/shims/dpkg-query" "$dir/no-apt"
refuses "no apt-get" 78 "there is no apt-get here; install them by other means: g++ cmake" \
  env PATH="$dir/no-apt" bash "$dir/tree/run" build

printf '#!/bin/sh\necho install ok installed\n' >"$dir/shims/dpkg-query"
refuses "no network" 78 "pip could not fetch torch" \
  env PATH="$dir/shims:$PATH" TRIREME_CACHE="$dir/cache" unshare -n "$dir/tree/run" build

full() {  # runs ./run where FOLDER is a disk of 1 MiB
  local folder=$1
  shift
  unshare -m sh -c 'mount -t tmpfs -o size=1m none "$0" && exec "$@"' "$folder" "$@"
}
refuses "a full cache disk" 78 "0 GiB free but LibTorch needs 4 GiB; free some or set TRIREME_CACHE to another disk" \
  full "$dir/small" env PATH="$dir/shims:$PATH" TRIREME_CACHE="$dir/small" "$dir/tree/run" build

touch "$dir/file"
refuses "a cache that is no folder" 78 "cannot write to $dir/file/cache" \
  env PATH="$dir/shims:$PATH" TRIREME_CACHE="$dir/file/cache" "$dir/tree/run" build

# Wheels that the user has put there are taken without a network: the next thing that is missing is room for the build.
mkdir -p "$dir/cache/wheels" "$dir/tree/build"
sed -n 's/^wheels=(\(.*\))$/\1/p' "$run" | python3 -c '
import sys, zipfile
for name, version in (word.split("==") for word in sys.stdin.read().split()):
    name = name.replace("-", "_")
    with zipfile.ZipFile(f"{sys.argv[1]}/{name}-{version}-py3-none-any.whl", "w") as wheel:
        info = f"{name}-{version}.dist-info"
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
' "$dir/cache/wheels"
refuses "a full disk under the build" 78 "GiB free but the build needs 3 GiB" \
  full "$dir/tree/build" env PATH="$dir/shims:$PATH" TRIREME_CACHE="$dir/cache" unshare -n "$dir/tree/run" build
