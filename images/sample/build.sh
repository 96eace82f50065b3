#!/usr/bin/env bash
# The sample image: nginx of Debian on a small base, in two layers, listening on 8080 as an unprivileged user.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=images/lib.sh
. "$here/../lib.sh"

layout=$repo/artifacts/images/sample$suffix
base_packages=(base-files busybox-static)
mapfile -t base_libraries < <(library_closure libc6; echo libc6)
# The libraries that nginx needs beyond those of the base.
mapfile -t nginx_libraries < <(library_closure nginx | grep -vxF "$(printf '%s\n' "${base_libraries[@]}")")
packages=$(candidates "${base_packages[@]}" "${base_libraries[@]}" nginx "${nginx_libraries[@]}")
key=$({ cat "$here/build.sh" "$here/../lib.sh" "$here"/files/*; echo "$packages $architecture $SOURCE_DATE_EPOCH"; } | sha256sum | cut -d' ' -f1)
if up_to_date "$layout" "$key"; then
  echo "artifacts/images/sample$suffix:1 is up to date ($(grep '^nginx=' <<<"$packages"))"
  exit 0
fi

version_of() { grep "^$1=" <<<"$packages"; }
mkdir -p "$repo/artifacts/images"
work=$(mktemp -d "$repo/artifacts/images/.sample.XXXXXX")
trap 'rm -rf "$work" "$scratch"' EXIT

# Layer 1: the C library, busybox and the files that every root has.
base=$work/base
unpack "$(version_of base-files)" "$work/base-files"
unpack "$(version_of busybox-static)" "$work/busybox"
mkdir -p "$base"/{dev,etc,proc,root,run,sys,tmp,var/log,var/tmp}
merged_usr "$base"
chmod 1777 "$base/tmp" "$base/var/tmp"
for name in "${base_libraries[@]}"; do unpack "$(version_of "$name")" "$base"; done
cp "$work/base-files/usr/lib/os-release" "$base/usr/lib/os-release"
ln -s ../usr/lib/os-release "$base/etc/os-release"
install -m 0755 "$(find "$work/busybox" -type f -path '*bin/busybox')" "$base/usr/bin/busybox"
install -D -m 0644 "$work/busybox/usr/share/doc/busybox-static/copyright" "$base/usr/share/doc/busybox-static/copyright"
for applet in sh cat echo env grep head hostname id ip kill ls mkdir ps sleep stat tail wget; do
  ln -s busybox "$base/usr/bin/$applet"
done
install -m 0644 "$here/files/passwd" "$here/files/group" "$here/files/nsswitch.conf" "$base/etc/"
slim "$base"

# Layer 2: nginx, its libraries, its configuration and the page.
web=$work/web
merged_usr "$web"
unpack "$(version_of nginx)" "$web"
for name in "${nginx_libraries[@]}"; do unpack "$(version_of "$name")" "$web"; done
rm -rf "$web/usr/share/nginx" "$web"/etc/{init.d,ufw,logrotate.d,default,nginx}
install -D -m 0644 "$here/files/nginx.conf" "$web/etc/nginx/nginx.conf"
install -D -m 0644 "$here/files/index.html" "$web/srv/www/index.html"
# nginx opens this path before it has read that errors go to stderr.
mkdir -p "$web/var/log/nginx" && ln -s /dev/stderr "$web/var/log/nginx/error.log"
slim "$web"

# Every library that a program of layer 2 names must be in one of the two layers.
command -v readelf >/dev/null || { echo "readelf is missing: apt-get install binutils" >&2; exit 1; }
while read -r library; do
  find "$base/usr/lib" "$web/usr/lib" -name "$library" | grep -q . || { echo "nginx needs $library, which no package brought" >&2; exit 1; }
done < <(find "$web/usr/sbin" "$web/usr/lib" -type f -exec readelf -d {} + 2>/dev/null | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort -u)

umoci init --layout "$work/layout"
umoci new --image "$work/layout:1"
add_layer "$work/layout" 1 "$base" "base of Debian: libc6, busybox-static"
add_layer "$work/layout" 1 "$web" "nginx of Debian: $(version_of nginx)" --exclude=./bin --exclude=./sbin --exclude=./lib --exclude=./lib64
umoci config --image "$work/layout:1" --no-history --created "$created" --architecture "$architecture" \
  --config.user web --config.exposedports 8080/tcp --config.env PATH=/usr/sbin:/usr/bin --config.workingdir / \
  --config.entrypoint /usr/sbin/nginx --config.stopsignal SIGQUIT --config.label org.opencontainers.image.title=edgevirt-sample-web
finish "$work/layout" "$layout" "$key"
echo "built artifacts/images/sample$suffix:1 ($(version_of nginx))"
