#!/usr/bin/env bash
# A Debian 13 as clouds have it: cloud-init, networkd, an SSH server without host keys. Tests boot it as a virtual machine. Needs root, for the owners of its files.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=images/lib.sh
. "$here/../lib.sh"
# shellcheck source=images/debian-disk.sh
. "$here/../debian-disk.sh"

# What its first start would only find up to date is not asked for: its processor is emulated.
debian_disk debian-cloud "$(cat "$here/build.sh" "$here/files"/* | sha256sum)" 256 \
  cloud-init,openssh-server,sudo,dbus,netbase,e2fsprogs,qemu-guest-agent \
  --customize-hook="install -D -m 0644 -t \"\$1/etc/cloud/cloud.cfg.d\" '$here/files/90_edgevirt.cfg'" \
  --customize-hook="rm -f \"\$1\"/etc/ssh/ssh_host_*" \
  --customize-hook="systemctl --root=\"\$1\" --quiet enable systemd-networkd.service ssh.service" \
  --customize-hook="systemctl --root=\"\$1\" --quiet mask dpkg-db-backup.timer fstrim.timer e2scrub_all.timer e2scrub_reap.service systemd-binfmt.service proc-sys-fs-binfmt_misc.automount" \
  --customize-hook="touch -r \"\$1/usr\" \"\$1/etc/.updated\" \"\$1/var/.updated\""
