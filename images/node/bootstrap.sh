#!/usr/bin/env bash
# In the tools' root: bootstrap.sh TAR ARCHITECTURE PACKAGES KERNEL SUITE makes the root that all boards of an architecture and kernel begin with.
set -euo pipefail
tar=$1 architecture=$2 packages=$3 kernel=$4 suite=$5
mirror=$(cat /images/.mirror)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The kernel asks for a program that makes initial file systems on the board. Ours is made here.
mkdir -p "$scratch/none/DEBIAN"
cat >"$scratch/none/DEBIAN/control" <<'TEXT'
Package: edgevirt-initramfs
Version: 1
Architecture: all
Maintainer: EdgeVirt
Provides: linux-initramfs-tool
Description: stands in for programs that make an initial file system on the board
TEXT
dpkg-deb -Zxz -b "$scratch/none" "$scratch/none.deb" >/dev/null

{
  echo "deb $mirror trixie main non-free-firmware"
  echo "deb $mirror trixie-updates main non-free-firmware"
  [ "$suite" = trixie ] || echo "deb $mirror $suite main non-free-firmware"
} >"$scratch/sources.list"
options=()
if [ "$suite" != trixie ]; then
  # Only the kernel, and what it needs, comes from there.
  printf 'Package: %s linux-image-* linux-base\nPin: release n=%s\nPin-Priority: 600\n' "$kernel" "$suite" >"$scratch/pin"
  options+=(--essential-hook="install -D -m 0644 '$scratch/pin' \"\$1/etc/apt/preferences.d/kernel\"")
fi

mmdebstrap --quiet --mode=root --variant=minbase --architectures="$architecture" --format=tar --aptopt=/images/.apt.conf \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' --dpkgopt='path-exclude=/usr/share/lintian/*' \
  --dpkgopt='path-exclude=/usr/bin/qemu-system-arm' --dpkgopt='path-exclude=/usr/bin/qemu-system-i386' \
  --essential-hook="cp '$scratch/none.deb' \"\$1/none.deb\"; chroot \"\$1\" dpkg -i /none.deb >/dev/null; rm \"\$1/none.deb\"" \
  "${options[@]}" \
  --include="$packages" \
  --customize-hook="/repo/images/node/boot-code.sh \"\$1\" '$architecture' 'grub-efi-$architecture-signed shim-signed'" \
  --customize-hook="rm -rf \"\$1\"/var/cache/* \"\$1\"/var/log/* \"\$1\"/var/lib/apt/lists/*" \
  trixie "$tar" - <"$scratch/sources.list"
