#!/usr/bin/env bash
# The smallest image with a shell: busybox-static and nothing else. Tests and benches run it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=images/lib.sh
. "$here/../lib.sh"

layout=$repo/artifacts/images/busybox$suffix
package=$(candidates busybox-static)
key=$({ cat "$here/build.sh" "$here/../lib.sh"; echo "$package $architecture $SOURCE_DATE_EPOCH"; } | sha256sum | cut -d' ' -f1)
if up_to_date "$layout" "$key"; then
  echo "artifacts/images/busybox$suffix:1 is up to date ($package)"
  exit 0
fi

mkdir -p "$repo/artifacts/images"
work=$(mktemp -d "$repo/artifacts/images/.busybox.XXXXXX")
trap 'rm -rf "$work" "$scratch"' EXIT
unpack "$package" "$work/package"

root=$work/root
mkdir -p "$root"/{bin,dev,etc,proc,root,sys,tmp,usr/share/doc/busybox-static}
chmod 1777 "$root/tmp"
install -m 0755 "$(find "$work/package" -type f -path '*bin/busybox')" "$root/bin/busybox"
cp "$work/package/usr/share/doc/busybox-static/copyright" "$root/usr/share/doc/busybox-static/"
# The list of applets is the programs' own; a foreign architecture gets what scripts need most.
applets=$("$root/bin/busybox" --list 2>/dev/null || echo sh cat echo false head hostname httpd id kill ls mkdir ps rm sleep stat true wget)
for applet in $applets; do
  [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
done
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"

umoci init --layout "$work/layout"
umoci new --image "$work/layout:1"
add_layer "$work/layout" 1 "$root" "busybox-static of Debian: $package"
umoci config --image "$work/layout:1" --no-history --created "$created" --architecture "$architecture" \
  --config.env PATH=/bin --config.cmd /bin/sh
finish "$work/layout" "$layout" "$key"
echo "built artifacts/images/busybox$suffix:1 ($package)"
