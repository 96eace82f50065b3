#!/usr/bin/env bash
# The node OS for one board: build.sh BOARD [production|debug], into artifacts/images/node/BOARD-VARIANT. Needs root, for the owners of files.
# What it is made of and in which order: docs/decisions/0013-node-os-image.md
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=images/lib.sh
. "$here/../lib.sh"
# shellcheck source=images/node/tools.sh
. "$here/tools.sh"
# shellcheck source=images/node/root.sh
. "$here/root.sh"

board=${1:?which board}
variant=${2:-production}
description=$repo/boards/$board/board.json
[ -f "$description" ] || { echo "there is no board '$board': boards/ has $(cd "$repo/boards" && printf '%s ' */board.json | sed 's#/board.json##g')" >&2; exit 1; }
case $variant in production | debug) ;; *) echo "an image is production or debug, not '$variant'" >&2; exit 1 ;; esac
of_board() { jq -er "$1" "$description"; }

architecture=$(of_board '.architecture | ascii_downcase')
case $architecture in arm64) programs=$repo/artifacts/publish/arm64 ;; amd64) programs=$repo/artifacts/publish/x64 ;; esac
for program in agent/edgevirt-agent cli/edgevirt; do
  [ -x "$programs/$program" ] || { echo "${programs#"$repo"/}/$program is missing: run ./dev publish ${programs##*/} first" >&2; exit 1; }
done

# Without a key of your own (EDGEVIRT_IMAGE_KEY: a PEM file, or a URI that a provider of OpenSSL knows) one for development is made, once, and never leaves artifacts/.
signing_key=${EDGEVIRT_IMAGE_KEY:-$repo/artifacts/keys/image-development.pem}
if [ -z "${EDGEVIRT_IMAGE_KEY:-}" ] && [ ! -f "$signing_key" ]; then
  mkdir -p "${signing_key%/*}"
  (umask 077 && openssl ecparam -name prime256v1 -genkey -noout -out "$signing_key")
  openssl pkey -in "$signing_key" -pubout -out "${signing_key%.pem}.pub.pem"
fi

# EDGEVIRT_IMAGES: where images and caches are, if not there.
images=${EDGEVIRT_IMAGES:-$repo/artifacts/images/node}
target=$images/$board-$variant
mkdir -p "$images"
make_tools "$tools"
version=${EDGEVIRT_IMAGE_VERSION:-13+$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d).0}

key=$({ find "$here" "$repo/images/systemd" -type f -print0 | LC_ALL=C sort -z | xargs -0 cat; cat "$description" "$programs/agent.inputs" "$programs/cli.inputs" "$tools/.inputs"
  echo "$variant $version $SOURCE_DATE_EPOCH"; openssl pkey -in "$signing_key" -pubout; } | sha256sum | cut -d' ' -f1)
if [ -f "$target/manifest" ] && [ "$(cat "$target/.inputs" 2>/dev/null)" = "$key" ]; then
  echo "${target#"$repo"/} is up to date"
  exit 0
fi

work=$(mktemp -d "$images/.work.XXXXXX")
# shellcheck disable=SC2064 # The paths are known now.
trap "rm -rf --one-file-system '$work' '$scratch'" EXIT
make_root "$work/root"
in_tools "$images" /repo/images/node/assemble.sh "/images/${work##*/}" "$board" "$variant" "$version"

manifest=$work/$(cat "$work/manifest")
openssl dgst -sha256 -sign "$signing_key" "$manifest" | base64 -w 0 >"$manifest.sig"
rm -rf --one-file-system "$work/root" "$work/parts"
printf '%s\n' "$key" >"$work/.inputs"
rm -rf --one-file-system "$target"
chmod 0755 "$work"
mv "$work" "$target"
echo "built ${target#"$repo"/}: $(cat "$target/manifest")"
