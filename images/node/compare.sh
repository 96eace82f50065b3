#!/usr/bin/env bash
# In the tools' root: compare.sh ONE OTHER compares what two builds of an image made, and shows where they differ. Ends with 1 if they do.
# Signatures have chance in them and are left out.
set -euo pipefail
one=$1 other=$2
work=$(mktemp -d /images/.compare.XXXXXX)
trap 'umount "$work"/*/root 2>/dev/null || true; rm -rf --one-file-system "$work"' EXIT

names() { (cd "$1" && find . -type f ! -name '*.sig' ! -name .inputs ! -name '*.bytes' | LC_ALL=C sort); }
# first_bytes A B: how many bytes differ, and the first of them.
first_bytes() {
  { cmp -l "$1" "$2" 2>/dev/null || true; } | head -n 100000 | awk 'NR <= 8 { printf "    byte %d: octal %s and %s\n", $1 - 1, $2, $3 }
    END { print "    " (NR >= 100000 ? "100,000 bytes or more differ" : NR " bytes differ") }'
}
# trees A B: what is not the same in two directories: content, then owners, rights, times and links.
trees() {
  diff -rq --no-dereference "$1" "$2" | head -n 20 || true
  diff <(listing "$1") <(listing "$2") | grep '^[<>]' | head -n 20 || true
}
listing() { (cd "$1" && find . -mindepth 1 -printf '%p %M %U:%G %s %T@ %l\n' | LC_ALL=C sort); }
# slice IMAGE START-SECTOR SECTORS FILE
slice() { dd if="$1" of="$4" bs=1M skip=$(($2 / 2048)) count=$(($3 / 2048)) conv=sparse status=none; }

# images A B: partition by partition, and file by file in those.
images() {
  local name start size
  sfdisk -J "$1" | jq -r '.partitiontable.partitions[] | "\(.name) \(.start) \(.size)"' >"$work/table"
  cmp -s <(head -c $((16 << 20)) "$1") <(head -c $((16 << 20)) "$2") || { echo "  before the partitions:"; first_bytes <(head -c $((16 << 20)) "$1") <(head -c $((16 << 20)) "$2"); }
  while read -r name start size; do
    slice "$1" "$start" "$size" "$work/one/$name"
    slice "$2" "$start" "$size" "$work/other/$name"
    cmp -s "$work/one/$name" "$work/other/$name" && continue
    echo "  partition $name, from byte $((start * 512)) of the image:"
    first_bytes "$work/one/$name" "$work/other/$name"
    case $name in
      esp | boot-*)
        mkdir -p "$work/one/$name.files" "$work/other/$name.files"
        for side in one other; do mcopy -s -m -n -i "$work/$side/$name" '::*' "$work/$side/$name.files/" </dev/null; done
        (cd "$work" && trees "one/$name.files" "other/$name.files") ;;
      root-*)
        mkdir -p "$work/one/root" "$work/other/root"
        for side in one other; do mount -t erofs -o loop,ro "$work/$side/$name" "$work/$side/root"; done
        (cd "$work" && trees one/root other/root)
        umount "$work/one/root" "$work/other/root" ;;
    esac
  done <"$work/table"
}

different=0
diff <(names "$one") <(names "$other") || different=1
mkdir -p "$work/one" "$work/other"
while read -r name; do
  [ -f "$other/$name" ] || continue
  if cmp -s "$one/$name" "$other/$name"; then echo "same      ${name#./}"; continue; fi
  different=1
  echo "DIFFERENT ${name#./}"
  case $name in
    *.img.zst)
      for side in one other; do zstd -q -d --sparse --long=24 "${!side}/$name" -o "$work/$side.img"; done
      images "$work/one.img" "$work/other.img" ;;
    *.json | *.bmap | *SHA256SUMS | *.cfg | *.txt) diff "$one/$name" "$other/$name" | head -n 20 || true ;;
    *) first_bytes "$one/$name" "$other/$name" ;;
  esac
done < <(names "$one")
exit $different
