# shellcheck shell=bash
# The initial file system: busybox, dmsetup with its libraries, modules of the kernel that lead to the disk, and init.

# Directories below the kernel's modules, and single modules, that lead from a bus to a disk or to the file systems on it.
initrd_modules='
kernel/drivers/ata kernel/drivers/block kernel/drivers/nvme kernel/drivers/mmc kernel/drivers/virtio kernel/drivers/md/dm-mod.ko kernel/drivers/md/dm-verity.ko
kernel/drivers/md/dm-bufio.ko kernel/drivers/usb/host kernel/drivers/usb/storage kernel/drivers/usb/dwc3 kernel/drivers/usb/dwc2 kernel/drivers/usb/common
kernel/drivers/usb/core kernel/drivers/scsi/sd_mod.ko kernel/drivers/scsi/scsi_mod.ko kernel/drivers/scsi/scsi_common.ko kernel/drivers/scsi/virtio_scsi.ko
kernel/drivers/scsi/hv_storvsc.ko kernel/drivers/scsi/vmw_pvscsi.ko kernel/drivers/phy kernel/drivers/regulator kernel/drivers/clk kernel/drivers/reset kernel/drivers/i2c/busses
kernel/drivers/gpio kernel/drivers/pinctrl kernel/drivers/pwm kernel/drivers/mfd kernel/drivers/pci/controller kernel/drivers/soc kernel/drivers/firmware
kernel/drivers/bus kernel/drivers/dma kernel/drivers/char/hw_random/virtio-rng.ko kernel/drivers/usb/typec kernel/drivers/extcon kernel/drivers/ufs
kernel/fs/ext4 kernel/fs/jbd2 kernel/fs/mbcache.ko kernel/fs/fat kernel/fs/erofs kernel/fs/overlayfs kernel/fs/nls
kernel/lib kernel/crypto kernel/arch
'

# libraries ROOT FILE...: shared libraries that they need, the loader included, as paths within ROOT.
libraries() {
  local base=$1 todo=("${@:2}") seen=" " file name path
  while [ ${#todo[@]} -gt 0 ]; do
    file=${todo[0]}
    todo=("${todo[@]:1}")
    while read -r name; do
      case $seen in *" $name "*) continue ;; esac
      seen+="$name "
      path=$(find "$base"/usr/lib/*-linux-gnu "$base"/usr/lib -maxdepth 1 -name "$name" | head -n 1)
      [ -n "$path" ] || { echo "no library $name, which $file needs" >&2; return 1; }
      printf '%s\n' "${path#"$base"}"
      todo+=("$path")
    done < <({ readelf -d "$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'; readelf -l "$file" | sed -n 's#.*interpreter: .*/\([^/]*\)\]#\1#p'; } | sort -u)
  done
}

make_initrd() {
  local to=$work/initrd kernel file module
  kernel=$(cd "$root/usr/lib/modules" && echo *)
  rm -rf "$to"
  mkdir -p "$to"/{usr/bin,usr/lib64,usr/lib/modules/$kernel,proc,sys,dev,run,newroot,esp,etc}
  for file in bin sbin lib lib64; do ln -s "usr/$file" "$to/$file"; done
  ln -s bin "$to/usr/sbin"
  install -m 0755 "$here/init" "$to/init"
  install -m 0755 "$root/usr/bin/busybox" "$root/usr/sbin/dmsetup" "$to/usr/bin/"
  libraries "$root" "$root/usr/sbin/dmsetup" >"$parts/libraries"
  while read -r file; do
    mkdir -p "$to/${file%/*}"
    cp -L "$root$file" "$to$file"
  done <"$parts/libraries"
  # Where the loader is looked for differs; busybox is static and serves for all else.
  file=$(readelf -l "$root/usr/sbin/dmsetup" | sed -n 's#.*interpreter: \(.*\)\]#\1#p')
  [ -e "$to$file" ] || { mkdir -p "$to/usr${file%/*}"; cp -L "$root$file" "$to/usr$file"; }

  for module in $initrd_modules; do
    file=$root/usr/lib/modules/$kernel/$module
    if [ -d "$file" ]; then (cd "$root/usr/lib/modules/$kernel" && find "$module" -name '*.ko*'); elif [ -e "$file" ]; then echo "$module"; elif [ -e "$file.xz" ]; then echo "$module.xz"; fi
  done | LC_ALL=C sort -u >"$parts/modules"
  # What those need is needed too, wherever it lies.
  awk -F: 'NR == FNR { want[$1] = 1; next } { path = $1; if (path in want) { n = split($2, needs, " "); for (i = 1; i <= n; i++) print needs[i] } }' \
    "$parts/modules" "$root/usr/lib/modules/$kernel/modules.dep" | cat - "$parts/modules" | LC_ALL=C sort -u >"$parts/modules.all"
  while read -r module; do
    mkdir -p "$to/usr/lib/modules/$kernel/${module%/*}"
    case $module in
      # One compression over all is smaller than one for each, and busybox reads them.
      *.xz) xz -dc "$root/usr/lib/modules/$kernel/$module" >"$to/usr/lib/modules/$kernel/${module%.xz}" ;;
      *) cp "$root/usr/lib/modules/$kernel/$module" "$to/usr/lib/modules/$kernel/$module" ;;
    esac
  done <"$parts/modules.all"
  cp "$root/usr/lib/modules/$kernel"/modules.{builtin,builtin.modinfo,order} "$to/usr/lib/modules/$kernel/"
  depmod -b "$to" "$kernel"
  find "$to" -exec touch --no-dereference -d "@$SOURCE_DATE_EPOCH" {} +
  (cd "$to" && find . -print0 | LC_ALL=C sort -z | cpio --null --quiet --create --format=newc --owner=0:0 --reproducible) | zstd -q -T0 -12 >"$1"
  rm -rf "$to"
}
