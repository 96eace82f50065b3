# shellcheck shell=bash
# Building, publishing and images.

cmd_build() { step build "Building everything" dotnet build -v q EdgeVirt.sln; }

# part PART: project, program and the source folders that decide whether it must be published again.
part() {
  case $1 in
    agent) echo src/EdgeVirt.Node edgevirt-agent src/EdgeVirt.{Contracts,Linux,Node} ;;
    cli) echo src/EdgeVirt.Cli edgevirt src/EdgeVirt.{Contracts,Linux,Cli} boards tools/dev/novnc.sh ;;
    hub) echo src/EdgeVirt.Hub edgevirt-hub src/EdgeVirt.{Contracts,Hub} ;;
    aot-smoke) echo tests/EdgeVirt.AotSmoke edgevirt-aot-smoke src/EdgeVirt.{Contracts,Linux,Node} tests/EdgeVirt.AotSmoke ;;
  esac
}

# inputs FOLDER...: a hash of every file that a publish is made of.
inputs() {
  { find "$@" -type d \( -name bin -o -name obj \) -prune -o -type f -print0
    printf '%s\0' Directory.Build.props Directory.Packages.props global.json tools/dev/publish.sh; } |
    LC_ALL=C sort -z | xargs -0 sha256sum | { cat; dotnet --version; } | sha256sum | cut -d' ' -f1
}

# publish_part PART ARCHITECTURE: into artifacts/publish/ARCHITECTURE/PART, unless that is up to date.
publish_part() {
  local name=$1 architecture=$2 project program folders key target options=()
  read -r project program folders <<<"$(part "$name")"
  target=artifacts/publish/$architecture/$name
  # shellcheck disable=SC2086 # A list of folders.
  key=$(inputs $folders)
  if [ -x "$target/$program" ] && [ "$(cat "$target.inputs" 2>/dev/null)" = "$key" ]; then return; fi

  case $name in
    hub)
      options=(--self-contained true -p:PublishReadyToRun=true)
      # One image with the framework: less is left to compile at a start, which has to be over within 2 s of a kill.
      [ "$architecture" != "$(native_architecture)" ] || options+=(-p:PublishReadyToRunComposite=true) ;;
    *) if [ "$architecture" = arm64 ] && [ "$(native_architecture)" != arm64 ]; then options=(-p:LinkerFlavor=lld -p:ObjCopyName=llvm-objcopy); fi ;;
  esac
  rm -rf "$target.new" "$target.inputs"
  step "publish-$name-$architecture" "Publishing $name for $architecture" \
    dotnet publish "$project" -c Release -r "linux-$architecture" -v q -o "$target.new" "${options[@]}" || return
  # Debug symbols are kept beside, so that the folder is what ships.
  rm -rf "$target" "$target.symbols"
  mkdir -p "$target.symbols"
  find "$target.new" -maxdepth 1 \( -name '*.dbg' -o -name '*.pdb' -o -name '*.xml' \) -exec mv -t "$target.symbols" {} +
  mv "$target.new" "$target"
  printf '%s\n' "$key" >"$target.inputs"
}

cmd_publish() {
  local architecture name
  for architecture in "${@:-$(native_architecture)}"; do
    case $architecture in x64 | arm64) ;; *) fail "publish takes x64 or arm64" ;; esac
    if [ "$architecture" != "$(native_architecture)" ]; then setup_for test; fi
    for name in agent cli hub; do publish_part "$name" "$architecture"; done
    say "Published for $architecture: artifacts/publish/$architecture/{agent/edgevirt-agent,cli/edgevirt,hub/edgevirt-hub}"
  done
}

cmd_image() {
  local name variant=production recipe=build
  while [[ ${1:-} == --* ]]; do
    case $1 in --debug) variant=debug ;; --check) recipe=check ;; *) fail "image takes --debug and --check, not '$1'" ;; esac
    shift
  done
  for name in "${@:-sample}"; do
    if [ -f "boards/$name/board.json" ]; then node_image "$name" "$variant" "$recipe"; continue; fi
    [ "$recipe" = build ] || fail "only images of boards are checked: $(cd boards && printf '%s ' */board.json | sed 's#/board.json##g')"
    [ -x "images/$name/build.sh" ] || fail "there is no recipe images/$name/build.sh and no board $name: $(cd boards && printf '%s ' */board.json | sed 's#/board.json##g')"
    step "image-$name" "Making image $name" make_image "$name"
  done
}

# node_image BOARD VARIANT RECIPE: the node OS of a board, with the programs of its architecture in it; RECIPE check makes it twice.
node_image() {
  local architecture=arm64 part
  [ "$(id -u)" -eq 0 ] || fail "the node OS is made by root, for the owners of its files. Run: sudo ./dev image $1"
  if grep -q '"architecture": *"Amd64"' "boards/$1/board.json"; then architecture=x64; fi
  for part in agent cli; do publish_part "$part" "$architecture"; done
  case $3 in
    build) step "image-$1-$2" "Making the node OS of $1 ($2)" images/node/build.sh "$1" "$2" ;;
    check) step "image-$1-$2" "Making the node OS of $1 ($2) twice" images/node/check.sh "$1" "$2" ;;
  esac
  tail -n 1 "$logs/image-$1-$2.log"
  # Nobody should learn in a field what the board lacks.
  jq -r '.missing // [] | .[] | "  missing: " + .' "boards/$1/board.json"
}

make_image() {
  "images/$1/build.sh" && return
  # Old or empty package lists are the usual reason, and only root can renew them.
  [ "$(id -u)" -eq 0 ] || return 1
  apt-get -q update && "images/$1/build.sh"
}

cmd_clean() {
  if [ -d "$state" ]; then fail "the development fleet is up or was not taken down: ./dev down first"; fi
  rm -rf "$artifacts"
  find src tests -type d \( -name bin -o -name obj \) -prune -exec rm -rf {} +
  say "Removed artifacts/ and every bin/ and obj/."
}
