#!/usr/bin/env bash
# In the tools' root: extra.sh BASE-TAR TAR ARCHITECTURE "PACKAGE..." "BOOT-CODE..." adds to a root what one board has besides.
set -euo pipefail
base=$1 tar=$2 architecture=$3 packages=$4 boot_code=$5
work=$(mktemp -d /images/.extra.XXXXXX)
trap 'umount "$work/proc" 2>/dev/null || true; rm -rf --one-file-system "$work"' EXIT
tar -x --numeric-owner --xattrs --xattrs-include='*' -C "$work" -f "$base"
mount -t proc proc "$work/proc"
cp /etc/resolv.conf "$work/etc/resolv.conf.extra" 2>/dev/null && mv "$work/etc/resolv.conf.extra" "$work/etc/resolv.conf"
printf '#!/bin/sh\nexit 101\n' >"$work/usr/sbin/policy-rc.d"
chmod 0755 "$work/usr/sbin/policy-rc.d"
in_root() { DEBIAN_FRONTEND=noninteractive chroot "$work" "$@"; }
in_root apt-get -q update
# shellcheck disable=SC2086 # Lists.
[ -z "${packages// /}" ] || in_root apt-get -q -y install --no-install-recommends $packages
# shellcheck disable=SC2086
[ -z "$boot_code" ] || MMDEBSTRAP_APT_CONFIG="" /repo/images/node/boot-code.sh "$work" "$architecture" "$boot_code"
umount "$work/proc"
rm -rf "$work"/usr/sbin/policy-rc.d "$work"/etc/resolv.conf "$work"/var/cache/* "$work"/var/log/* "$work"/var/lib/apt/lists/*
tar -c --sort=name --numeric-owner --xattrs --xattrs-include='*' -C "$work" -f "$tar" .
