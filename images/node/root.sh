# shellcheck shell=bash
# The root file system of a node, as mmdebstrap makes it: Debian's packages and nothing of ours yet. After lib.sh and tools.sh.

# package_list FILE...: names for this architecture, with commas.
package_list() { sed -e 's/#.*//' "$@" | awk -v architecture="$architecture" 'NF { if ($2 != "arm64" && $2 != "amd64" || $2 == architecture) print $1 }' | paste -sd, -; }

# make_root DIRECTORY: from the cache of that very set of packages, or anew.
make_root() {
  local lists=("$here/packages") packages kernel suite boot_code key cache
  if [ "$variant" = debug ]; then lists+=("$here/packages.debug"); fi
  kernel=$(of_board .kernel.package)
  suite=$(of_board .kernel.suite)
  packages=$(package_list "${lists[@]}"),$(of_board '[.packages[]?, .kernel.package] | join(",")')
  case $(of_board .firmware) in
    Uefi) boot_code="grub-efi-$architecture-signed shim-signed" ;;
    UBoot) boot_code="grub-efi-$architecture-signed shim-signed u-boot-rockchip" ;;
    RaspberryPi) boot_code="raspi-firmware" ;;
  esac
  key=$(echo "$packages $suite $boot_code $architecture $SOURCE_DATE_EPOCH" | cat "$here/root.sh" "$here/bootstrap.sh" "$here/boot-code.sh" - | sha256sum | cut -d' ' -f1)
  cache=$images/.roots/$key.tar
  mkdir -p "$images/.roots"
  if [ ! -f "$cache" ]; then
    emulate "$architecture"
    apt-config dump --format '%f "%v";%n' Acquire >"$images/.apt.conf"
    debian_mirror >"$images/.mirror"
    in_tools "$images" /repo/images/node/bootstrap.sh "/images/.roots/$key.new" "$architecture" "$packages" "$kernel" "$suite" "$boot_code"
    mv "$images/.roots/$key.new" "$cache"
  fi
  mkdir "$1"
  tar -x --numeric-owner --xattrs --xattrs-include='*' -C "$1" -f "$cache"
}
