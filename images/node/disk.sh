# shellcheck shell=bash
# File systems and partitions. Sizes are bytes; every partition begins at a whole MiB.

mib=$((1 << 20))
# The first 16 MiB are left to boards that read their boot code from there.
first=$((16 * mib))
esp_size=$((64 * mib))
boot_size=$((192 * mib))

make_root_file_system() {
  local size output
  # Not compressed: what did not change is then found again, byte for byte, in the next version, and an update carries little more than the changes.
  # But for flash memory of virtual machines, which is 64 MiB a file and nearly all zeros.
  printf '65536 0 (AAVMF|OVMF)/[^/]*\\.fd$\n0 0 .*\n' >"$parts/compress"
  mkfs.erofs -x 1 -z lz4hc -C 65536 --compress-hints="$parts/compress" --workers=1 --all-time -T "$SOURCE_DATE_EPOCH" -U "$(uuid_of root)" --quiet "$1" "$root"
  size=$(stat -c %s "$1")
  [ $((size % 4096)) -eq 0 ] || { size=$(((size + 4095) / 4096 * 4096)); truncate -s "$size" "$1"; }
  root_salt=$(echo "salt $board" | sha256sum | cut -d' ' -f1)
  root_blocks=$((size / 4096))
  output=$(veritysetup format --salt "$root_salt" --uuid "$(uuid_of verity)" --data-blocks "$root_blocks" --hash-offset "$size" "$1" "$1")
  root_hash=$(sed -n 's/^Root hash:[[:space:]]*//p' <<<"$output")
  [ ${#root_hash} -eq 64 ] || { echo "veritysetup gave no root hash: $output" >&2; return 1; }
  # Room to grow in place: a slot takes what comes in the next years.
  root_size=$((2048 * mib))
  [ "$(stat -c %s "$1")" -le "$root_size" ] || { echo "the root has $(stat -c %s "$1") bytes, more than its slot of $root_size" >&2; return 1; }
}

# fat FILE SIZE LABEL ID DIRECTORY: a FAT file system with the directory's content, in a fixed order and of one moment.
fat() {
  local entry
  find "$5" -exec touch -d "@$SOURCE_DATE_EPOCH" {} +
  truncate -s "$2" "$1"
  mkfs.vfat -F 32 -s 1 -n "$3" -i "$4" --invariant "$1" >/dev/null
  (cd "$5" && find . -mindepth 1 -type d | LC_ALL=C sort) | while read -r entry; do mmd -i "$1" "::${entry#.}"; done
  (cd "$5" && find . -type f | LC_ALL=C sort) | while read -r entry; do mcopy -m -i "$1" "$5/$entry" "::${entry#.}"; done
}

# used_mib FILE: how many MiB of a FAT file system, from its beginning, have to be on the card: its tables and what it holds. mtools gives out clusters in their order.
used_mib() {
  local sectors reserved tables table_sectors free first_data
  number() { od -A n -t "u$2" -j "$1" -N "$2" "$3" | tr -d ' '; }
  reserved=$(number 14 2 "$1") tables=$(number 16 1 "$1") sectors=$(number 32 4 "$1") table_sectors=$(number 36 4 "$1") free=$(number $((512 + 488)) 4 "$1")
  first_data=$((reserved + tables * table_sectors))
  [ "$free" -lt "$sectors" ] || { echo "a FAT file system does not know how much of it is free" >&2; return 1; }
  # A cluster is a sector.
  echo $(((first_data + (sectors - first_data - free) + 2047) / 2048))
}

command_line() {
  local console words=""
  for console in $(of_board '.consoles[]'); do case $console in *,* | tty[0-9]*) words+=" console=$console" ;; *) words+=" console=$console,115200" ;; esac; done
  [ "$variant" != debug ] || words+=" edgevirt.overlay"
  # The kernel of a board that stands still is started again by its watchdog, and one that gave up by itself.
  # gpt: a power cut while the first table is written (systemd-repart, once) leaves the second one.
  echo "edgevirt.verity=$root_hash:$root_salt:$root_blocks ro gpt quiet loglevel=4 panic=10 oops=panic systemd.gpt_auto=0 rd.systemd.gpt_auto=0$words"
}

# take_device_trees: those of the board out of the kernel's, of which the rest is not for the root. Kernels of backports have them beside their modules.
take_device_trees() {
  local name file
  mkdir -p "$parts/device-trees"
  for name in $(of_board '.deviceTrees // [] | .[]'); do
    file=$(find "$root/usr/lib" \( -path "*/linux-image-*/$name" -o -path "*/modules/*/dtb/$name" \) | head -n 1)
    [ -n "$file" ] || { echo "the kernel has no device tree $name" >&2; return 1; }
    install -m 0644 "$file" "$parts/device-trees/"
  done
  rm -rf "$root"/usr/lib/linux-image-* "$root"/usr/lib/modules/*/dtb
}

make_boot_slot() {
  local to=$parts/boot file kernel_file
  case $firmware in
    Uefi | UBoot)
      {
        echo "linux (\$root)/vmlinuz rauc.slot=\$slot edgevirt.disk=\$DISK $(command_line)"
        for file in $(of_board '.deviceTrees // [] | .[]'); do
          install -D -m 0644 "$parts/device-trees/${file##*/}" "$to/dtb/${file##*/}"
          echo "devicetree (\$root)/dtb/${file##*/}"
        done
        echo "initrd (\$root)/initrd.img"
        echo "boot"
      } >"$to/slot.cfg" ;;
    RaspberryPi)
      cp "$boot_code"/usr/lib/raspi-firmware/{start4*.elf,fixup4*.dat} "$to/"
      cp "$parts"/device-trees/* "$to/"
      command_line >"$to/cmdline.txt"
      kernel_file=vmlinuz
      printf '%s\n' 'arm_64bit=1' "kernel=$kernel_file" 'initramfs initrd.img followkernel' 'enable_uart=1' 'upstream_kernel=1' 'disable_overscan=1' >"$to/config.txt" ;;
  esac
  fat "$1" "$boot_size" BOOT "$(uuid_of boot | cut -c1-8)" "$to"
}

make_esp() {
  local to=$parts/esp
  mkdir -p "$to/edgevirt"
  # A place of fixed size, so that settings are written to a card without a change to its file system.
  { printf '{}\n'; head -c $((16 * 1024 - 3)) /dev/zero | tr '\0' ' '; } >"$to/edgevirt/settings.json"
  case $firmware in
    Uefi | UBoot)
      install -D -m 0644 "$boot_code/usr/lib/shim/shim$efi.efi.signed" "$to/EFI/BOOT/BOOT${efi^^}.EFI"
      install -D -m 0644 "$boot_code"/usr/lib/grub/*-efi-signed/grub$efi.efi.signed "$to/EFI/BOOT/grub$efi.efi"
      install -D -m 0644 "$here/grub/grub.cfg" "$to/EFI/debian/grub.cfg"
      printf '%s\n' '# GRUB Environment Block' '# WARNING: Do not edit this file by tools other than grub-editenv!!!' 'ORDER=A B' A_OK=1 B_OK=0 A_TRY=0 B_TRY=0 >"$to/EFI/debian/grubenv"
      # A block of exactly this size.
      head -c $((1024 - $(stat -c %s "$to/EFI/debian/grubenv"))) /dev/zero | tr '\0' '#' >>"$to/EFI/debian/grubenv" ;;
    RaspberryPi)
      printf '%s\n' '[all]' 'tryboot_a_b=1' 'boot_partition=2' '[tryboot]' 'boot_partition=3' >"$to/autoboot.txt" ;;
  esac
  fat "$1" "$esp_size" EDGEVIRT "$(uuid_of esp | cut -c1-8)" "$to"
}

make_disk() {
  local image=$1 offset=$first total place root_type boot_type=BC13C2FF-59E6-4262-A352-B275FD6F7172 esp_type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B
  case $architecture in arm64) root_type=B921B045-1DF0-41C3-AF44-4C6F280D3FAE ;; amd64) root_type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709 ;; esac
  # All versions of the Raspberry Pi's EEPROM read from partitions of this type.
  if [ "$firmware" = RaspberryPi ]; then boot_type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7 esp_type=$boot_type; fi
  total=$((first + esp_size + 2 * boot_size + 2 * root_size + 2 * mib))
  truncate -s "$total" "$image"
  {
    echo "label: gpt"
    echo "label-id: $(uuid_of disk)"
    # Name, type, size and file of each: its line, and its content into the image.
    while read -r label type size file; do
      echo "start=$((offset / 512)), size=$((size / 512)), type=$type, uuid=$(uuid_of "$label"), name=$label"
      # Zeros that belong to a file system are written like all else: a hole in the image would leave on a card what was there before.
      case $file in
        -) ;;
        */root.img) dd if="$file" of="$image" bs=1M seek="$((offset / mib))" conv=notrunc status=none ;;
        *) dd if="$file" of="$image" bs=1M seek="$((offset / mib))" count="$(used_mib "$file")" conv=notrunc status=none ;;
      esac
      offset=$((offset + size))
    done <<TEXT
esp $esp_type $esp_size $parts/esp.img
boot-a $boot_type $boot_size $parts/boot.img
boot-b $boot_type $boot_size -
root-a $root_type $root_size $parts/root.img
root-b $root_type $root_size -
TEXT
  } >"$parts/table"
  sfdisk --quiet "$image" <"$parts/table"
  file=$(of_board '.bootCode.file // empty')
  if [ -n "$file" ]; then
    place=$(find "$boot_code" -path "*/$file" | head -n 1)
    [ -n "$place" ] || { echo "there is no $file in $(of_board '.bootCode.packages | join(", ")')" >&2; return 1; }
    dd if="$place" of="$image" bs=512 seek=64 conv=notrunc status=none
  fi
}

# root_is_mapped IMAGE: its block map names every block of the root.
root_is_mapped() {
  local from blocks
  from=$(($(sfdisk -J "$1" | jq '.partitiontable.partitions[] | select(.name == "root-a").start') / 8))
  blocks=$(($(stat -c %s "$parts/root.img") / 4096))
  sed -n 's:.*<Range[^>]*> *\([0-9]*\)-*\([0-9]*\) *</Range>.*:\1 \2:p' "$1.bmap" | awk -v from="$from" -v blocks="$blocks" '
    { end = $2 == "" ? $1 : $2; low = $1 < from ? from : $1; high = end < from + blocks ? end : from + blocks - 1; if (high >= low) mapped += high - low + 1 }
    END { exit mapped != blocks }'
}

# publish_image: compressed, with its block map, what it is, and checksums.
publish_image() {
  local image=$work/$name.img size hash
  size=$(stat -c %s "$image")
  hash=$(sha256sum "$image" | cut -d' ' -f1)
  bmaptool --quiet create -o "$image.bmap" "$image"
  root_is_mapped "$image" || { echo "the block map leaves out a part of the root, which would be what was on a card before" >&2; return 1; }
  zstd -q -T0 -12 --long=24 "$image" -o "$image.zst"
  (
    cd "$work"
    file() { jq -n --arg name "$1" --argjson bytes "$(stat -c %s "$1")" --arg sha256 "$(sha256sum "$1" | cut -d' ' -f1)" '{name: $name, bytes: $bytes, sha256: $sha256}'; }
    jq -n --arg board "$board" --arg version "$version" --arg variant "$variant" --arg architecture "$(of_board .architecture)" \
      --arg createdAt "$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)" --argjson imageBytes "$size" --arg imageSha256 "$hash" --arg rootHash "$root_hash" \
      --argjson minimumCardBytes "$(of_board .storage.minimumBytes)" \
      --argjson compressed "$(file "$name.img.zst")" --argjson blockMap "$(file "$name.img.bmap")" --argjson sbom "$(file "$name.spdx.json")" \
      '{$board, $version, $variant, $architecture, $createdAt, $imageBytes, $imageSha256, $compressed, $blockMap, $sbom, $minimumCardBytes, $rootHash}' >"$name.json"
    sha256sum "$name.img.zst" "$name.img.bmap" "$name.spdx.json" "$name.json" >"$name.SHA256SUMS"
    printf '%s\n' "$name.json" >manifest
  )
  printf 'image %s bytes, compressed %s bytes, root %s bytes\n' "$size" "$(stat -c %s "$image.zst")" "$(stat -c %s "$parts/root.img")"
}
