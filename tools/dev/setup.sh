# shellcheck shell=bash
# What Debian's packages bring, for which verb, and what for. Columns: package, verbs, reason.
packages='
clang|build test bench|links the Native AOT programs
zlib1g-dev|build test bench|is linked into the Native AOT programs
binutils|build up test bench|strips programs, checks the libraries of images
git|build up test bench|tells the build which revision it is
iproute2|up test bench|makes network namespaces, bridges and links
nftables|up test bench|gives containers NAT and published ports
conntrack|up test bench|leads senders of UDP to the container that is there now
dnsmasq-base|up test bench|answers for the names of workloads
runc|up test bench|runs containers where crun cannot (hybrid control groups)
crun|up test bench|runs containers
conmon|up test bench|keeps containers and their logs while the agent restarts
docker-registry|up test bench|serves images to nodes
umoci|up test bench|makes OCI images
skopeo|up test bench|copies images into the registry
curl|up test bench|asks the hub and the sample page whether they answer
openssl|image test|signs images
jq|up test bench image|reads what the hub answers, and what boards are
zsh|test|checks its completion script
fish|test|checks its completion script
zstd|fast test bench|reads backups of volumes, and images for bmaptool
apparmor|fast test|checks the profile that confines containers
attr|fast test|compares the extended attributes of unpacked images
libcap2-bin|fast test|gives files of volumes capabilities that backups keep
libarchive-tools|fast test|reads backups of volumes, beside GNU tar
procps|test|looks for processes that a test left
iputils-ping|test|tries the networks of tests
lld|test image|links for arm64
llvm|test image|strips arm64 programs
gcc-aarch64-linux-gnu|test image|finds the arm64 libraries when linking
libc6-dev-arm64-cross|test image|the arm64 C library to link with
qemu-user-static|test|runs the arm64 smoke program
busybox-static|fast test bench|is what the containers of tests and benchmarks run
golang-github-opencontainers-specs-dev|fast test|the schema that the bundles of containers are held against
podman|test bench|makes images for tests, is compared with
buildah|test|makes images for tests
docker.io|test bench|makes images for tests, is compared with
docker-cli|test bench|is the command of docker.io from Debian 13 on
mmdebstrap|test debian image|makes the Debian disks that tests boot, and the node OS
openssh-client|test|logs in at that Debian in a virtual machine
qemu-system-x86|up fast test|runs virtual machines, and the machine that plain Debian boots on
qemu-system-arm|fast test|runs the arm64 guest that proves KVM
qemu-utils|up fast test|looks at and makes disks of virtual machines
ovmf|up fast test|is the UEFI of virtual machines
swtpm|up fast test|is the TPM of virtual machines
tpm2-openssl|fast test|is how a node reaches its key in a TPM
tpm2-tools|fast test|makes keys in the TPM of tests
qemu-efi-aarch64|fast test|is the UEFI of the arm64 guest of tests
xorriso|up fast test|writes what cloud-init is told
xz-utils|fast test|makes a disk that has to be refused
dosfstools|fast test|makes the first partition of cards
mtools|fast test bench|puts files on it
fdisk|fast test|divides disks of cards
zbar-tools|fast test|reads the QR codes of labels
bmap-tools|fast test bench|writes images to cards as edgevirt flash does, is compared with
nbdkit|fast test|makes bad disks to write images to
libnbd-bin|fast test|shows the disks of nbdkit to the kernel
fuse3|fast test|mounts them
e2fsprogs|up fast test bench debian|makes and checks the file systems of volumes, and the disks of that machine
'

installed() {
  case $(dpkg-query -W -f '${Status}' "$1" 2>/dev/null) in "install ok installed") return 0 ;; esac
  # In Debian 12 docker.io has the command itself.
  if [ "$1" = docker-cli ] && grep -q '^VERSION_ID="12"' /etc/os-release; then return 0; fi
  # Debian 13 has the emulators in qemu-user; the old name only points there.
  [ "$1" = qemu-user-static ] && command -v qemu-aarch64-static qemu-aarch64 >/dev/null 2>&1
}

# is_for WANTED VERB...: whether one of the verbs is wanted.
is_for() {
  local wanted=" $1 " verb
  shift
  for verb; do
    if [[ $wanted == *" $verb "* ]]; then return 0; fi
  done
  return 1
}

# setup_for VERB...: installs what the verbs need and is not there.
setup_for() {
  local name verbs reason missing=()
  command -v apt-get >/dev/null || fail "this needs Debian 12 or 13 (or a relative with apt-get)"
  while IFS='|' read -r name verbs reason; do
    # shellcheck disable=SC2086 # A list of verbs.
    if [ -n "$name" ] && is_for "$*" $verbs && ! installed "$name"; then
      [ ${#missing[@]} -gt 0 ] || say "Missing from Debian's packages:"
      printf '  %-24s %s\n' "$name" "$reason"
      missing+=("$name")
    fi
  done <<<"$packages"
  if [ ${#missing[@]} -gt 0 ]; then
    [ "$(id -u)" -eq 0 ] || fail "installing them needs root. Run: sudo apt-get install --no-install-recommends ${missing[*]}"
    step setup "Installing ${#missing[@]} package(s)" install_packages "${missing[@]}" || return
  fi
  need_dotnet
}

install_packages() {
  local policy=/usr/sbin/policy-rc.d made=false
  export DEBIAN_FRONTEND=noninteractive
  # Some of the packages would start a service at once (docker-registry, docker.io); we start our own.
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 0755 "$policy"
    made=true
    # shellcheck disable=SC2064 # The path is known now.
    trap "rm -f $policy" EXIT
  fi
  # A server that has just booted installs updates by itself and holds the lock meanwhile.
  local install=(apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends)
  "${install[@]}" "$@" || {
    # Old or empty package lists are the usual reason.
    apt-get -q update
    "${install[@]}" "$@"
  } || return 1
  if $made; then rm -f "$policy"; trap - EXIT; fi
  if [ -d /run/systemd/system ]; then
    for name in docker-registry docker containerd; do
      case " $* " in *" $name"[\ .]*) systemctl disable --now "$name.service" docker.socket 2>/dev/null || true ;; esac
    done
  fi
}

need_dotnet() {
  local home
  for home in "$HOME" "$(getent passwd "${SUDO_USER:-root}" | cut -d: -f6)"; do
    if ! command -v dotnet >/dev/null && [ -x "$home/.dotnet/dotnet" ]; then PATH=$home/.dotnet:$PATH; fi
  done
  if ! command -v dotnet >/dev/null || ! dotnet --list-sdks | grep -q '^10\.'; then
    fail "the .NET 10 SDK is missing: get it from https://dot.net (dotnet-install.sh --channel 10.0 puts it into ~/.dotnet, where this script looks)"
  fi
}

cmd_setup() {
  local verb
  [ $# -gt 0 ] || set -- build up test
  for verb in "$@"; do
    case $verb in build | up | test | bench) setup_for "$verb" ;; *) fail "setup takes build, up, test or bench" ;; esac
  done
  say "Everything that is needed is here."
}
