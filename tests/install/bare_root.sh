#!/usr/bin/env bash
# bare_root.sh BUNDLE_SCRIPT BUILD WORK: makes a bundle and starts it on two ranks inside a root folder that holds nothing but a shell, the
# core utilities, glibc, the bundle and LibTorch. Ends with 77 where chroot and mount namespaces are not permitted.
set -euo pipefail
bundle_script=$1 build=$2 work=$3
site=${TRIREME_CACHE:-$HOME/.cache/trireme}/site
unshare -m true 2>/dev/null || { echo "no permission for mount namespaces: skipped"; exit 77; }

rm -rf "$work"
mkdir -p "$work"/root/{bin,lib64,lib/x86_64-linux-gnu,proc,dev,tmp,etc,bundle,site/torch,site/nvidia}
"$bundle_script" "$build" "$site" "$work/bundle"
size=$(du -sm "$work/bundle" | cut -f1)
[ "$size" -le 64 ] || { echo "the bundle has $size MiB, more than 64"; exit 1; }

root=$work/root
cp /bin/dash "$root/bin/sh"
cp /bin/dirname /usr/bin/env "$root/bin/" 2>/dev/null || cp /usr/bin/dirname /usr/bin/env "$root/bin/"
cp -L /lib64/ld-linux-x86-64.so.2 "$root/lib64/"
for name in libc.so.6 libm.so.6 libdl.so.2 libpthread.so.0 librt.so.1 libutil.so.1 libresolv.so.2 libnss_files.so.2 libnss_dns.so.2; do
  cp -L "/lib/x86_64-linux-gnu/$name" "$root/lib/x86_64-linux-gnu/"
done
echo 'root:x:0:0:root:/:/bin/sh' >"$root/etc/passwd"
echo '127.0.0.1 localhost' >"$root/etc/hosts"

inside='export PATH=/bin LIBTORCH_ROOT=/site/torch OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 HOME=/tmp
/bundle/trireme version &&
/bundle/bin/mpirun --allow-run-as-root --oversubscribe --bind-to none -n 2 /bundle/trireme '"${BARE_ROOT_COMMAND:-bench comm -c -b 1K -e 64K -f 64 --backend shm,mpi --collective all_gather,reduce_scatter,all_reduce}"
unshare -m -p -f bash -c '
  set -e
  mount --bind "$1/bundle" "$1/root/bundle"; mount --bind "$2/torch" "$1/root/site/torch"; mount --bind "$2/nvidia" "$1/root/site/nvidia"
  mount -t proc proc "$1/root/proc"; mount -t tmpfs tmpfs "$1/root/dev"; mkdir "$1/root/dev/shm"; mount -t tmpfs tmpfs "$1/root/dev/shm"
  mount -t tmpfs tmpfs "$1/root/tmp"
  for device in null zero urandom random; do touch "$1/root/dev/$device"; mount --bind "/dev/$device" "$1/root/dev/$device"; done
  exec chroot "$1/root" /bin/sh -c "$3"
' bare "$work" "$site" "$inside"
rm -rf "$work"
