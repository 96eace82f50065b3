# shellcheck shell=bash
# What is put into Debian's root, and what is taken out of it.

add_files() {
  local unit
  cp -R --no-preserve=ownership "$here/files/." "$root/"
  find "$root/usr/lib/edgevirt" "$root/etc" -type f -name '*.sh' -exec chmod 0755 {} +
  install -m 0755 "$programs/agent/edgevirt-agent" "$programs/cli/edgevirt" "$root/usr/bin/"
  for unit in /repo/images/systemd/*.service; do
    case $unit in */edgevirt-hub.service) continue ;; esac
    sed 's#/usr/local/bin/#/usr/bin/#' "$unit" >"$root/usr/lib/systemd/system/${unit##*/}"
  done
  install -D -m 0644 "$description" "$root/etc/edgevirt/board.json"
  mkdir -p "$root/boot/esp"
  {
    # Of the disk that was booted: init has a rule for udev.
    echo '/dev/disk/edgevirt/data /var ext4 noatime,nosuid,nodev,nofail,x-systemd.growfs 0 0'
    echo '/dev/disk/edgevirt/esp /boot/esp vfat noauto,nofail,sync,noexec,nosuid,nodev,umask=0077,x-systemd.automount,x-systemd.idle-timeout=10s 0 0'
  } >"$root/etc/fstab"
  cat >>"$root/usr/lib/os-release" <<TEXT
IMAGE_ID=edgevirt-$board
IMAGE_VERSION=$version
VARIANT="${variant^}"
VARIANT_ID=$variant
TEXT
  echo edgevirt >"$root/etc/hostname"
  : >"$root/etc/machine-id"
  rm -f "$root/var/lib/dbus/machine-id"
  ln -sfn ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
  sed "s/@BOARD@/$board/" "$here/files/etc/rauc/system.conf" >"$root/etc/rauc/system.conf"
  if watchdog=$(jq -er .watchdog.timeoutSeconds "$description"); then
    mkdir -p "$root/etc/systemd/system.conf.d" "$root/etc/modules-load.d"
    printf '[Manager]\nRuntimeWatchdogSec=%ss\nRebootWatchdogSec=2min\n' "$watchdog" >"$root/etc/systemd/system.conf.d/watchdog.conf"
    of_board .watchdog.driver >"$root/etc/modules-load.d/watchdog.conf"
  fi
  enable_units
  # Nobody logs in: no password, no shell on a console, no key. The debug image is another matter.
  sed -i 's/^root:[^:]*:/root:!:/' "$root/etc/shadow"
}

# systemctl of the tools knows nothing of the root's state but its files, which is all that is asked.
units() { chroot "$root" systemctl --quiet "$@"; }

enable_units() {
  local unit console key
  mount -t proc proc "$root/proc"
  units enable edgevirt-good.service systemd-networkd.service systemd-resolved.service systemd-timesyncd.service edgevirt-agent.service
  for unit in edgevirt-prepare.service edgevirt-cellular.service; do [ ! -f "$root/usr/lib/systemd/system/$unit" ] || units enable "$unit"; done
  units mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer systemd-firstboot.service nftables.service \
    systemd-machine-id-commit.service systemd-repart.service dnsmasq.service smartmontools.service smartd.service 2>/dev/null || true
  for console in $(of_board '.consoles[]'); do
    console=${console%%,*}
    case $console in tty[0-9]*) units mask "getty@$console.service" ;; *) units mask "serial-getty@$console.service" ;; esac
    if [ -f "$root/usr/lib/systemd/system/edgevirt-screen@.service" ]; then units enable "edgevirt-screen@$console.service"; fi
  done
  # The agent loads the one profile that containers have; Debian's for programs that are not here would take half a minute on a small board.
  find "$root/etc/apparmor.d" -maxdepth 1 -type f -delete
  units mask apparmor.service grub-common.service
  units mask getty@tty1.service console-getty.service container-getty@.service autovt@.service
  units set-default multi-user.target
  if [ "$variant" = debug ]; then
    units enable ssh.service
    mkdir -p "$root/etc/ssh/sshd_config.d" "$root/etc/systemd/system/ssh.service.d"
    # Its own key lies on the data partition: the same with each boot, so that who logs in is not warned. One kind is enough, and soon made.
    key=/var/lib/edgevirt-os/ssh_host_ed25519_key
    printf '%s\n' 'AuthorizedKeysFile /run/edgevirt/board/authorized_keys' 'PasswordAuthentication no' "HostKey $key" >"$root/etc/ssh/sshd_config.d/edgevirt.conf"
    printf '%s\n' '[Unit]' "RequiresMountsFor=${key%/*}" '[Service]' ExecStartPre= \
      "ExecStartPre=/bin/sh -c '[ -s $key.pub ] || { rm -f $key; ssh-keygen -q -t ed25519 -N \"\" -f $key && sync $key $key.pub; }'" 'ExecStartPre=/usr/sbin/sshd -t' \
      >"$root/etc/systemd/system/ssh.service.d/keys.conf"
    units mask sshd-keygen.service
    console=$(of_board '.consoles[-1] | split(",")[0]')
    units unmask "serial-getty@$console.service" "getty@$console.service"
    units disable "edgevirt-screen@$console.service" || true
    mkdir -p "$root/etc/systemd/system/serial-getty@.service.d"
    printf '[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin root --keep-baud 115200,57600,38400,9600 - $TERM\n' >"$root/etc/systemd/system/serial-getty@.service.d/autologin.conf"
  fi
  umount "$root/proc"
}

# make_sbom: SPDX 2.3, of the packages of the root and of the boot code.
make_sbom() {
  {
    dpkg-query --admindir="$root/var/lib/dpkg" -W -f '${Package}\t${Version}\t${source:Package}\t${source:Version}\t${Architecture}\t${Maintainer}\t${Homepage}\n'
    awk -v RS= -v FS='\n' 'function of(name,  i) { for (i = 1; i <= NF; i++) if (index($i, name ": ") == 1) return substr($i, length(name) + 3); return "" }
      { s = of("Source"); sub(/ .*/, "", s); if (s == "") s = of("Package"); printf "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", of("Package"), of("Version"), s, of("Version"), of("Architecture"), of("Maintainer"), of("Homepage") }' \
      "$root/usr/lib/edgevirt/boot-code/packages"
  } | LC_ALL=C sort -u | jq -R -s --arg name "$name" --arg created "$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)" -f $here/sbom.jq
}

# strip_unused: what Debian's packages bring and no program of a node reads.
strip_unused() {
  local directory file keep
  # UEFI of virtual machines: the agent uses one pair of files; the others have keys of Secure Boot in them.
  for directory in "$root"/usr/share/{AAVMF,OVMF}; do
    [ -d "$directory" ] || continue
    keep=" "
    for file in "$directory"/{AAVMF_CODE,AAVMF_VARS,OVMF_CODE_4M,OVMF_VARS_4M}.fd; do [ ! -e "$file" ] || keep+="$(readlink -f "$file") $file "; done
    for file in "$directory"/*; do case $keep in *" $file "*) ;; *) rm "$file" ;; esac; done
  done
  for file in "$root"/usr/share/qemu/firmware/*.json; do
    while read -r directory; do [ -e "$root$directory" ] || { rm -f "$file"; break; }; done < <(jq -r '.mapping | .. | .filename? // empty' "$file")
  done
  rm -rf "$root"/usr/share/{ovmf,qemu-efi-aarch64,grub,perl5,perl} "$root"/usr/share/qemu/{skiboot.lid,slof.bin,openbios-*,palcode-*,hppa-*,opensbi-*,s390-*,u-boot*,u-boot.e500,vof*,npcm*,bamboo.dtb,canyonlands.dtb,petalogix-*,QEMU,tcx.bin,cgthree.bin}
  # Scripts of package managers are all that is written in it, and the debug image has dpkg.
  [ "$variant" = debug ] || rm -rf "$root"/usr/bin/perl* "$root"/usr/lib/*-linux-gnu/{perl,perl-base}
  # The source of hwdb.bin; without it nothing is made anew.
  [ ! -e "$root/usr/lib/udev/hwdb.bin" ] || rm -rf "$root/usr/lib/udev/hwdb.d"
  # FAT has its names in one of these; Unicode is part of the C library.
  for directory in "$root"/usr/lib/*-linux-gnu/gconv; do
    find "$directory" -name '*.so' ! -name 'UTF-*' ! -name UNICODE.so ! -name 'IBM437.so' ! -name 'IBM85[028].so' ! -name 'ISO8859-1.so' ! -name 'ISO8859-15.so' ! -name 'CP125[02].so' -delete
  done
}

strip_root() {
  # What a package manager knows, and the state of programs, is not for a root that is never written.
  rm -rf "$root"/boot/vmlinuz* "$root"/boot/initrd* "$root"/boot/System.map* "$root"/boot/config-* "$root"/vmlinuz* "$root"/initrd*
  if [ "$variant" = debug ]; then
    mkdir -p "$root/usr/lib/sysimage"
    mv "$root/var/lib/dpkg" "$root/usr/lib/sysimage/dpkg"
    printf 'L /var/lib/dpkg - - - - ../../usr/lib/sysimage/dpkg\n' >"$root/usr/lib/tmpfiles.d/edgevirt-dpkg.conf"
  else
    rm -rf "$root"/usr/bin/{apt,apt-*,dpkg,dpkg-*} "$root"/usr/lib/{apt,dpkg} "$root"/etc/apt "$root"/usr/share/{dpkg,debconf} "$root"/usr/sbin/dpkg-* \
      "$root"/usr/lib/*-linux-gnu/libapt-*
  fi
  strip_unused
  find "$root/var" -mindepth 1 -delete
  rm -rf "$root"/tmp/* "$root"/run/* "$root"/dev/* "$root"/etc/ssh/ssh_host_* "$root"/usr/share/{bash-completion,zsh,doc-base,bug} "$root"/usr/lib/python3*
  rm -f "$root"/etc/{passwd-,group-,shadow-,gshadow-,subuid-,subgid-} "$root"/etc/ld.so.cache.new
  # What would be made up to date at the first boot is.
  touch "$root/etc/.updated"
  # Everything is of the same moment: files are never newer than the image.
  find "$root" -newermt "@$SOURCE_DATE_EPOCH" -exec touch --no-dereference -d "@$SOURCE_DATE_EPOCH" {} +
}
