#!/usr/bin/env bash
# novnc.sh FILE: the VNC client for browsers that edgevirt carries: JavaScript and licence of Debian's package novnc, which is not installed.
set -euo pipefail
file=$(realpath -m "$1")
mkdir -p "$(dirname "$file")"
work=$(mktemp -d "$file.XXXXXX")
trap 'rm -rf "$work"' EXIT
# For the user that apt downloads as.
chmod 0755 "$work"
cd "$work"
if ! apt-get -q download novnc; then
  # Old or empty package lists are the usual reason.
  { [ "$(id -u)" -eq 0 ] && apt-get -q update && apt-get -q download novnc; } ||
    { echo "novnc.sh : error NOVNC : Debian's package novnc, of which edgevirt has a part, cannot be fetched: run 'sudo apt-get update' and build again" >&2; exit 1; }
fi
dpkg-deb -x novnc_*.deb .
cat usr/share/doc/novnc/copyright /usr/share/common-licenses/MPL-2.0 >usr/share/novnc/LICENSE
tar --sort=name --owner=0 --group=0 --numeric-owner -czf made -C usr/share/novnc LICENSE core vendor
mv made "$file"
