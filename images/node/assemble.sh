#!/usr/bin/env bash
# In the tools' root: assemble.sh WORK BOARD VARIANT VERSION makes of WORK/root and our own files the image and what lies beside it.
set -euo pipefail
work=$1 board=$2 variant=$3 version=$4
here=/repo/images/node
root=$work/root
parts=$work/parts
name=edgevirt-$board-$version
[ "$variant" = production ] || name=$name-$variant
description=/repo/boards/$board/board.json
of_board() { jq -r "$1" "$description"; }
architecture=$(of_board '.architecture | ascii_downcase')
firmware=$(of_board .firmware)
case $architecture in arm64) programs=/repo/artifacts/publish/arm64 efi=aa64 ;; amd64) programs=/repo/artifacts/publish/x64 efi=x64 ;; esac
mkdir -p "$parts"
# Identifiers follow from what they name, so that equal input gives an equal image.
uuid_of() { echo "$board $1" | sha256sum | sed -E 's/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*/\1-\2-4\3-8\4-\5/'; }

# shellcheck source=images/node/overlay.sh
. $here/overlay.sh
# shellcheck source=images/node/initrd.sh
. $here/initrd.sh
# shellcheck source=images/node/disk.sh
. $here/disk.sh

add_files
make_sbom >"$work/$name.spdx.json"
make_initrd "$parts/initrd.img"
boot_code=$parts/boot-code
mv "$root/usr/lib/edgevirt/boot-code" "$boot_code"
kernel=$(cd "$root/usr/lib/modules" && echo *)
mkdir -p "$parts/boot"
cp "$root/boot/vmlinuz-$kernel" "$parts/boot/vmlinuz"
mv "$parts/initrd.img" "$parts/boot/initrd.img"
take_device_trees
strip_root
make_root_file_system "$parts/root.img"
make_boot_slot "$parts/boot.img"
make_esp "$parts/esp.img"
make_disk "$work/$name.img"
publish_image
# For who starts a kernel without a boot loader, and for who looks.
stat -c %s "$parts/root.img" >"$parts/boot/root.bytes"
mv "$parts/boot" "$work/boot"
rm "$work/$name.img"
