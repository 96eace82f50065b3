# shellcheck shell=bash
# The trixie root whose tools make the image, so that the release of this machine does not matter.

tools=$repo/artifacts/images/node/.tools
tools_packages=mmdebstrap,arch-test,qemu-user,erofs-utils,cryptsetup-bin,fdisk,dosfstools,mtools,zstd,bmap-tools,cpio,kmod,jq,openssl,ca-certificates,binutils,xz-utils,e2fsprogs,mount,qemu-system-arm

# debian_mirror: as this machine's own apt knows it.
debian_mirror() {
  local mirror
  # shellcheck disable=SC2016 # apt's own variables.
  mirror=$(apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' 'Created-By: Packages' | sed -n 's/^Debian Debian //p' | head -n 1)
  [ -n "$mirror" ] || { echo "apt knows no Debian mirror: run apt-get update, then try again." >&2; return 1; }
  printf '%s\n' "${mirror%/}"
}

# make_tools DIRECTORY: that root, unless it is there.
make_tools() {
  local key mirror
  key=$(echo "$tools_packages" | sha256sum | cut -d' ' -f1)
  if [ "$(cat "$1/.inputs" 2>/dev/null)" = "$key" ]; then return; fi
  mirror=$(debian_mirror)
  rm -rf --one-file-system "$1" "$1.new"
  apt-config dump --format '%f "%v";%n' Acquire >"$scratch/apt.conf"
  mmdebstrap --quiet --mode=root --variant=apt --architectures="$(dpkg --print-architecture)" --format=directory --aptopt="$scratch/apt.conf" \
    --include="$tools_packages" --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' trixie "$1.new" "$mirror"
  printf '%s\n' "$key" >"$1.new/.inputs"
  mv "$1.new" "$1"
}

# in_tools IMAGES COMMAND...: runs it in that root, with the repository (read-only) at /repo and IMAGES at /images.
in_tools() {
  local images=$1
  shift
  # shellcheck disable=SC2016 # For the inner shell.
  SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH unshare --mount --propagation private -- bash -euc '
    root=$1 repo=$2 images=$3
    shift 3
    mount --rbind "$root" "$root"
    mkdir -p "$root/repo" "$root/images"
    mount --bind "$repo" "$root/repo"
    mount -o remount,bind,ro "$root/repo"
    mount --bind "$images" "$root/images"
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount --rbind /sys "$root/sys"
    mount -t tmpfs tmpfs "$root/run"
    cp -L /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null || true
    exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 TZ=UTC SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" "$@"
  ' in_tools "$tools" "$repo" "$images" "$@"
}

# emulate ARCHITECTURE: lets this kernel run programs of it, by the emulator of the tools. Stays until the machine is restarted.
emulate() {
  local mounted=/proc/sys/fs/binfmt_misc magic mask
  [ "$1" != "$(dpkg --print-architecture)" ] || return 0
  case $1 in
    arm64)
      magic='\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
      mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff' ;;
    *) echo "programs for $1 cannot be run here: make this image on a machine of that kind" >&2; return 1 ;;
  esac
  [ -e $mounted/register ] || mount -t binfmt_misc binfmt_misc $mounted || { echo "this kernel has no binfmt_misc, without which no programs for $1 run" >&2; return 1; }
  # F: opened now, so that it is found from within every root.
  [ -e $mounted/qemu-aarch64 ] || printf '%s' ":qemu-aarch64:M::$magic:$mask:$tools/usr/bin/qemu-aarch64:OCF" >$mounted/register
}
