#!/usr/bin/env bash
# A plain Debian 13 as a server has it: systemd, pure cgroup v2, crun. Tests boot it in QEMU. Needs root, for the owners of its files.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=images/lib.sh
. "$here/../lib.sh"

suite=trixie
target=$repo/artifacts/images/debian
key=$({ cat "$here/build.sh" "$here/files"/*; echo "$suite $architecture"; } | sha256sum | cut -d' ' -f1)
if [ -f "$target/root.ext4" ] && [ "$(cat "$target/.inputs" 2>/dev/null)" = "$key" ]; then
  echo "artifacts/images/debian is up to date"
  exit 0
fi
[ "$architecture" = amd64 ] || { echo "images/debian is made for amd64 only, not $architecture." >&2; exit 1; }

# The mirror and the settings of this machine's apt serve, only the suite is another.
# shellcheck disable=SC2016 # apt's own variables.
mirror=$(apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' 'Created-By: Packages' | sed -n 's/^Debian Debian //p' | head -n 1)
[ -n "$mirror" ] || { echo "apt knows no Debian mirror: run apt-get update, then try again." >&2; exit 1; }
apt-config dump --format '%f "%v";%n' Acquire >"$scratch/apt.conf"

mkdir -p "$repo/artifacts/images"
work=$(mktemp -d "$repo/artifacts/images/.debian.XXXXXX")
trap 'rm -rf --one-file-system "$work" "$scratch"' EXIT

# An initial file system with what this machine's disk needs and no more: it is unpacked by an emulated processor.
cat >"$scratch/initramfs.conf" <<'TEXT'
MODULES=list
BUSYBOX=n
TEXT
printf '%s\n' virtio_pci virtio_blk ext4 >"$scratch/modules"

mmdebstrap --quiet --mode=root --variant=minbase --architectures="$architecture" --format=directory \
  --aptopt="$scratch/apt.conf" \
  --include=systemd-sysv,udev,kmod,linux-image-cloud-amd64,iproute2,nftables,conntrack,dnsmasq-base,crun,conmon,e2fsprogs,apparmor,ca-certificates,procps \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
  --essential-hook="install -D -m 0644 '$scratch/initramfs.conf' \"\$1/etc/initramfs-tools/conf.d/edgevirt\"" \
  --essential-hook="install -D -m 0644 '$scratch/modules' \"\$1/usr/share/initramfs-tools/modules.d/edgevirt\"" \
  --customize-hook="install -D -m 0644 -t \"\$1/etc/systemd/system\" '$here/files'/*.service" \
  --customize-hook="install -D -m 0755 -t \"\$1/usr/local/sbin\" '$here/files/seed'" \
  --customize-hook="printf 'debian\n' >\"\$1/etc/hostname\"" \
  --customize-hook="systemctl --root=\"\$1\" --quiet enable seed.service shell.service systemd-networkd.service" \
  --customize-hook="systemctl --root=\"\$1\" --quiet mask systemd-networkd-wait-online.service apt-daily.timer apt-daily-upgrade.timer" \
  "$suite" "$work/root" "$mirror"

cp "$work/root"/boot/vmlinuz-* "$work/vmlinuz"
cp "$work/root"/boot/initrd.img-* "$work/initrd"
rm -rf "$work/root"/boot/*
# Room for images and containers; the file is sparse.
size=$(($(du -sm --apparent-size "$work/root" | cut -f1) + 1024))
truncate -s "${size}M" "$work/root.ext4"
mke2fs -q -t ext4 -L root -m 0 -d "$work/root" "$work/root.ext4"
dpkg-query --admindir="$work/root/var/lib/dpkg" -W >"$work/packages"
rm -rf --one-file-system "$work/root"
printf '%s\n' "$key" >"$work/.inputs"
rm -rf --one-file-system "$target"
mv "$work" "$target"
echo "built artifacts/images/debian ($(wc -l <"$target/packages") packages, kernel $(sed -n 's/^linux-image-\([0-9][^\t]*\)\t.*/\1/p' "$target/packages"))"
