# shellcheck shell=bash
# The root file system of a node, as Debian's packages make it: nothing of ours yet. After lib.sh and tools.sh.

# package_list FILE...: names for this architecture, with commas.
package_list() { sed -e 's/#.*//' "$@" | awk -v architecture="$architecture" 'NF { if ($2 != "arm64" && $2 != "amd64" || $2 == architecture) print $1 }' | paste -sd, -; }

# make_root DIRECTORY: what all nodes of this architecture and kernel have, from a cache, then what this board has besides, from another.
make_root() {
  local packages kernel suite extra boot_code="" key base
  kernel=$(of_board .kernel.package)
  suite=$(of_board .kernel.suite)
  packages=$(package_list "$here/packages"),$kernel
  extra=$(of_board '.packages // [] | join(" ")' || true)
  [ "$variant" != debug ] || extra="$extra $(package_list "$here/packages.debug" | tr , ' ')"
  boot_code=$(of_board '.bootCode.packages // [] | join(" ")' || true)

  debian_mirror >"$images/.mirror"
  apt-config dump --format '%f "%v";%n' Acquire >"$images/.apt.conf"
  emulate "$architecture"
  key=$(echo "$packages $suite $architecture $SOURCE_DATE_EPOCH" | cat "$here/bootstrap.sh" "$here/boot-code.sh" - | sha256sum | cut -d' ' -f1)
  base=$images/.roots/$key.tar
  mkdir -p "$images/.roots"
  if [ ! -f "$base" ]; then
    in_tools "$images" /repo/images/node/bootstrap.sh "/images/.roots/$key.new" "$architecture" "$packages" "$kernel" "$suite"
    mv "$images/.roots/$key.new" "$base"
  fi
  if [ -n "${extra// /}$boot_code" ]; then
    key=$(echo "$key $extra $boot_code" | cat "$here/extra.sh" - | sha256sum | cut -d' ' -f1)
    if [ ! -f "$images/.roots/$key.tar" ]; then
      in_tools "$images" /repo/images/node/extra.sh "/images/.roots/${base##*/}" "/images/.roots/$key.new" "$architecture" "$extra" "$boot_code"
      mv "$images/.roots/$key.new" "$images/.roots/$key.tar"
    fi
    base=$images/.roots/$key.tar
  fi
  mkdir "$1"
  tar -x --numeric-owner --xattrs --xattrs-include='*' -C "$1" -f "$base"
}
