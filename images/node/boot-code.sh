#!/usr/bin/env bash
# While mmdebstrap makes the root: boot-code.sh ROOT ARCHITECTURE "PACKAGE..." unpacks packages to ROOT/usr/lib/edgevirt/boot-code.
set -euo pipefail
root=$1 architecture=$2
# A list.
read -ra packages <<<"$3"
target=$root/usr/lib/edgevirt/boot-code
download=$(mktemp -d)
chmod 0777 "$download"
trap 'rm -rf "$download"' EXIT
(cd "$download" && APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get -q download "${packages[@]/%/:$architecture}")
mkdir -p "$target"
for file in "$download"/*.deb; do
  dpkg-deb -x "$file" "$target"
  dpkg-deb -f "$file" Package Version Source Architecture Maintainer Homepage >>"$target/packages"
  echo >>"$target/packages"
done
rm -rf "$target"/usr/share/{man,lintian,locale}
