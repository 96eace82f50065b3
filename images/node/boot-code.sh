#!/usr/bin/env bash
# boot-code.sh ROOT ARCHITECTURE "PACKAGE..." unpacks packages to ROOT/usr/lib/edgevirt/boot-code, and does not install them: their scripts are made for
# machines that keep their boot code themselves. apt is mmdebstrap's while it makes the root, and the root's own later.
set -euo pipefail
root=$1 architecture=$2
# A list.
read -ra packages <<<"$3"
target=$root/usr/lib/edgevirt/boot-code
download=$(mktemp -d)
chmod 0777 "$download"
trap 'rm -rf "$download"' EXIT
if [ -n "${MMDEBSTRAP_APT_CONFIG:-}" ]; then
  (cd "$download" && APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get -q download "${packages[@]/%/:$architecture}")
else
  chroot "$root" sh -ec 'cd /tmp && exec apt-get -q download "$@"' sh "${packages[@]}"
  mv "$root"/tmp/*.deb "$download/"
fi
mkdir -p "$target"
for file in "$download"/*.deb; do
  dpkg-deb -x "$file" "$target"
  dpkg-deb -f "$file" Package Version Source Architecture Maintainer Homepage >>"$target/packages"
  echo >>"$target/packages"
done
rm -rf "$target"/usr/share/{man,lintian,locale}
