#!/usr/bin/env bash
# check.sh BOARD [production|debug]: makes the node OS of a board once more, Debian's root too, in another directory, and compares it with the one that is there.
# Ends with 1 if a byte differs. Needs root, the network, and as long as the first image of an architecture.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=images/lib.sh
. "$here/../lib.sh"
# shellcheck source=images/node/tools.sh
. "$here/tools.sh"

board=${1:?which board}
variant=${2:-production}
images=$repo/artifacts/images/node
"$here/build.sh" "$board" "$variant"
again=$(mktemp -d "$images/.again.XXXXXX")
# shellcheck disable=SC2064 # The paths are known now.
trap "rm -rf --one-file-system '$again' '$scratch'" EXIT
EDGEVIRT_IMAGES=$again "$here/build.sh" "$board" "$variant"
if in_tools "$images" /repo/images/node/compare.sh "/images/$board-$variant" "/images/${again##*/}/$board-$variant"; then
  echo "two builds of $board ($variant) are equal, byte for byte"
else
  echo "two builds of $board ($variant) differ: see above" >&2
  exit 1
fi
