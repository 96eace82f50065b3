# shellcheck shell=bash
# What the recipes of Debian disks share, after lib.sh: mmdebstrap makes a root, mke2fs a disk of it. Needs root, for the owners of its files.

suite=trixie

# debian_disk NAME KEY MIB PACKAGE,PACKAGE,… [OPTION OF MMDEBSTRAP...]: artifacts/images/NAME with root.ext4 (label root, MIB free), vmlinuz, initrd and a list
# of packages, unless it was made of the very same KEY.
debian_disk() {
  local name=$1 key mirror work size packages=$4 free=$3 target=$repo/artifacts/images/$1
  key=$(echo "$2 $packages $free $suite $architecture" | cat "$repo/images/debian-disk.sh" - | sha256sum | cut -d' ' -f1)
  shift 4
  if [ -f "$target/root.ext4" ] && [ "$(cat "$target/.inputs" 2>/dev/null)" = "$key" ]; then
    echo "artifacts/images/$name is up to date"
    return
  fi
  [ "$architecture" = amd64 ] || { echo "images/$name is made for amd64 only, not $architecture." >&2; return 1; }

  # The mirror and the settings of this machine's apt serve, only the suite is another.
  # shellcheck disable=SC2016 # apt's own variables.
  mirror=$(apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' 'Created-By: Packages' | sed -n 's/^Debian Debian //p' | head -n 1)
  [ -n "$mirror" ] || { echo "apt knows no Debian mirror: run apt-get update, then try again." >&2; return 1; }
  apt-config dump --format '%f "%v";%n' Acquire >"$scratch/apt.conf"

  mkdir -p "$repo/artifacts/images"
  work=$(mktemp -d "$repo/artifacts/images/.$name.XXXXXX")
  # shellcheck disable=SC2064 # The path is known now.
  trap "rm -rf --one-file-system '$work' '$scratch'" EXIT

  # An initial file system with what such a machine's disk needs and no more: it is unpacked by an emulated processor.
  cat >"$scratch/initramfs.conf" <<'TEXT'
MODULES=list
BUSYBOX=n
TEXT
  printf '%s\n' virtio_pci virtio_blk ext4 >"$scratch/modules"

  mmdebstrap --quiet --mode=root --variant=minbase --architectures="$architecture" --format=directory \
    --aptopt="$scratch/apt.conf" \
    --include="systemd-sysv,udev,kmod,linux-image-cloud-amd64,iproute2,$packages" \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --essential-hook="install -D -m 0644 '$scratch/initramfs.conf' \"\$1/etc/initramfs-tools/conf.d/edgevirt\"" \
    --essential-hook="install -D -m 0644 '$scratch/modules' \"\$1/usr/share/initramfs-tools/modules.d/edgevirt\"" \
    --customize-hook="printf 'debian\n' >\"\$1/etc/hostname\"" \
    "$@" \
    --customize-hook="systemctl --root=\"\$1\" --quiet mask apt-daily.timer apt-daily-upgrade.timer" \
    "$suite" "$work/root" "$mirror" || return

  cp "$work/root"/boot/vmlinuz-* "$work/vmlinuz"
  cp "$work/root"/boot/initrd.img-* "$work/initrd"
  rm -rf "$work/root"/boot/*
  # The file is sparse.
  size=$(($(du -sm --apparent-size "$work/root" | cut -f1) + free))
  truncate -s "${size}M" "$work/root.ext4"
  mke2fs -q -t ext4 -L root -m 0 -d "$work/root" "$work/root.ext4" || return
  dpkg-query --admindir="$work/root/var/lib/dpkg" -W >"$work/packages"
  rm -rf --one-file-system "$work/root"
  printf '%s\n' "$key" >"$work/.inputs"
  rm -rf --one-file-system "$target"
  mv "$work" "$target"
  echo "built artifacts/images/$name ($(wc -l <"$target/packages") packages, kernel $(sed -n 's/^linux-image-\([0-9][^\t]*\)\t.*/\1/p' "$target/packages"))"
}
