#!/usr/bin/env bash
# A plain Debian 13 as a server has it: systemd, pure cgroup v2, crun. Tests boot it in QEMU. Needs root, for the owners of its files.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=images/lib.sh
. "$here/../lib.sh"
# shellcheck source=images/debian-disk.sh
. "$here/../debian-disk.sh"

# Room for images and containers.
debian_disk debian "$(cat "$here/build.sh" "$here/files"/* | sha256sum)" 1024 \
  nftables,conntrack,dnsmasq-base,crun,conmon,e2fsprogs,apparmor,ca-certificates,procps \
  --customize-hook="install -D -m 0644 -t \"\$1/etc/systemd/system\" '$here/files'/*.service" \
  --customize-hook="install -D -m 0755 -t \"\$1/usr/local/sbin\" '$here/files/seed'" \
  --customize-hook="systemctl --root=\"\$1\" --quiet enable seed.service shell.service systemd-networkd.service" \
  --customize-hook="systemctl --root=\"\$1\" --quiet mask systemd-networkd-wait-online.service"
