# shellcheck shell=bash
# What the image recipes share: Debian packages in, layers of an OCI layout out. Needs no root.

[ -n "${repo:-}" ] || repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
package_cache=$repo/artifacts/images/.packages
architecture=${ARCHITECTURE:-$(dpkg --print-architecture)}
# What apt says is read, so it must say it in English.
export LC_ALL=C.UTF-8
# One moment for every file and every history entry, so that equal input gives an equal digest.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-1735689600}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# Layouts for another architecture than this machine's lie beside those for it.
suffix=""
if [ "$architecture" != "$(dpkg --print-architecture)" ]; then suffix=-$architecture; fi
created=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)

# The machine's own apt does not learn of another architecture: lists and state are kept apart, and renewed once a day.
foreign_apt() {
  local apt=$repo/artifacts/images/.apt-$architecture
  mkdir -p "$apt"/state/lists/partial "$apt"/cache/archives/partial
  : >"$apt/status"
  cat >"$apt/apt.conf" <<CONF
APT::Architecture "$architecture";
APT::Architectures { "$architecture"; };
Dir::State "$apt/state";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
CONF
  export APT_CONFIG=$apt/apt.conf
  if [ -z "$(find "$apt/renewed" -mtime -1 2>/dev/null)" ]; then
    apt-get -q update >/dev/null
    touch "$apt/renewed"
  fi
}
[ -z "$suffix" ] || foreign_apt

# candidates PACKAGE...: a line name=version for each, as apt would install it.
candidates() {
  local missing
  apt-cache policy "${@/%/:$architecture}" |
    sed -n -e 's/^\([a-z0-9][^:]*\):.*/\1/; t name' -e 's/^  Candidate: //; t version' -e 'd' -e ': name; h; d' -e ': version; H; x; s/\n/=/p' |
    grep -v '=(none)$' | LC_ALL=C sort >"$scratch/candidates"
  missing=$(printf '%s\n' "$@" | LC_ALL=C sort | grep -vxF "$(cut -d= -f1 "$scratch/candidates")" || true)
  if [ -n "$missing" ]; then
    echo "apt knows no package $(paste -sd' ' <<<"$missing") for $architecture: run apt-get update, then try again." >&2
    return 1
  fi
  cat "$scratch/candidates"
}

# library_closure PACKAGE...: the shared-library packages that they need, without the packages themselves.
library_closure() {
  apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances "$@" |
    awk -v roots=" $* " '
      /^[a-z0-9]/ { current = $1; next }
      /^ *\|?Depends:/ && $2 !~ /[<:]/ { needs[current] = needs[current] " " $2 }
      function visit(name,   list, count, i) {
        if (seen[name]++) return
        count = split(needs[name], list, " ")
        for (i = 1; i <= count; i++) if (list[i] ~ /^(lib|zlib)/) visit(list[i])
      }
      END { split(roots, start, " "); for (i in start) visit(start[i])
            for (name in seen) if (index(roots, " " name " ") == 0) print name }' | LC_ALL=C sort
}

# unpack PACKAGE=VERSION DIRECTORY: the package's files into a root with merged /usr. Its scripts never run.
unpack() {
  local name=${1%%=*} version=${1#*=} file
  mkdir -p "$package_cache"
  file=$package_cache/${name}_${version//:/%3a}_$architecture.deb
  if [ ! -s "$file" ]; then
    local download
    download=$(mktemp -d "$package_cache/.download.XXXXXX")
    # apt drops its privileges for a download and must be able to write here.
    chmod 0777 "$download"
    (cd "$download" && apt-get -q download "$name:$architecture=$version")
    mv "$download"/*.deb "$file"
    rmdir "$download"
  fi
  mkdir -p "$2"
  dpkg-deb --fsys-tarfile "$file" | tar -x --no-same-owner --keep-directory-symlink -C "$2"
}

# merged_usr DIRECTORY: the links that Debian's roots have, so that /lib and /usr/lib are one place.
merged_usr() {
  local directory
  for directory in bin sbin lib; do
    mkdir -p "$1/usr/$directory"
    ln -sfn "usr/$directory" "$1/$directory"
  done
  if [ "$architecture" = amd64 ]; then
    mkdir -p "$1/usr/lib64"
    ln -sfn usr/lib64 "$1/lib64"
  fi
}

# slim DIRECTORY: without manuals, translations and packaging data; licences stay.
slim() {
  rm -rf "$1"/usr/share/{man,locale,lintian,bug,doc-base} "$1"/usr/lib/*/{gconv,audit}
  [ ! -d "$1/usr/share/doc" ] || find "$1/usr/share/doc" -type f ! -name copyright -delete
  [ ! -d "$1/usr/share/doc" ] || find "$1/usr/share/doc" -xtype l -delete
  find "$1" -type d -empty -path '*/usr/share/*' -delete
}

# add_layer LAYOUT TAG DIRECTORY COMMENT [TAR OPTION...]: one layer with every file owned by root, in a fixed order.
add_layer() {
  local layout=$1 tag=$2 directory=$3 comment=$4 archive
  shift 4
  archive=$layout.layer.tar
  tar -c --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
    --format=posix --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime "$@" -C "$directory" -f "$archive" .
  umoci raw add-layer --image "$layout:$tag" --history.created "$created" --history.created_by "$comment" "$archive"
  rm -f "$archive"
}

# up_to_date LAYOUT KEY: whether the layout was made of these very inputs.
up_to_date() { [ -f "$1/index.json" ] && [ "$(cat "$1/.inputs" 2>/dev/null)" = "$2" ]; }

# finish WORKING-LAYOUT LAYOUT KEY: put the new layout where the old one was.
finish() {
  umoci gc --layout "$1"
  printf '%s\n' "$3" >"$1/.inputs"
  rm -rf "$2"
  mv "$1" "$2"
}
