# shellcheck shell=bash
# Tests, the Native AOT smoke program and benchmarks.

results=$artifacts/test
passed=0
failed=0
skipped=0

cmd_test() {
  local fast=false filter="" project name
  while [ $# -gt 0 ]; do
    case $1 in
      --fast) fast=true ;;
      -*) fail "test takes --fast and a filter, not '$1'" ;;
      *) filter=$1 ;;
    esac
    shift
  done

  rm -rf "$results"
  mkdir -p "$results"
  if $fast; then
    setup_for up fast
  else
    setup_for test
    for name in agent cli hub; do publish_part "$name" "$(native_architecture)"; done
    if [ -z "$filter" ]; then
      publish_part aot-smoke "$(native_architecture)"
      for name in agent cli hub aot-smoke; do publish_part "$name" arm64; done
    fi
    cmd_image sample
    # A minute each when they are made for the first time, so only for those who boot them.
    if emulates_debian; then
      case $filter in "" | *Debian* | *SystemTests*) cmd_image debian ;; esac
      case $filter in "" | *Cloud* | *VirtualMachines* | *Node.Tests*) cmd_image debian-cloud ;; esac
      case $filter in "" | *Board* | *PowerCut* | *SystemTests*) images_for_boards ;; esac
    fi
  fi
  cmd_image busybox
  cmd_build

  for project in tests/*/*.csproj; do
    name=$(basename "$project" .csproj)
    case $name in
      EdgeVirt.SystemTests) if $fast; then continue; fi ;;
      *.Tests) ;;
      *) continue ;;
    esac
    test_project "$name" "$project" "$filter" "$fast"
  done
  if $fast; then
    say "Left out by --fast: system tests, long tests, the smoke program, and every publish."
  elif [ -n "$filter" ]; then
    say "Left out by the filter: the smoke program and arm64."
  else
    smoke x64
    smoke arm64
  fi

  if [ -s "$results/skipped" ]; then
    say ""
    say "SKIPPED, not tested here:"
    sed 's/^/  /' "$results/skipped"
  fi
  if [ $((passed + failed)) -eq 0 ]; then
    say "No test ran: the filter '$filter' fits none."
    failed=1
  fi
  say "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" -eq 0 ]
}

# The node OS that emulated boards boot, and what they run. The root of arm64 takes five minutes when it is made for the first time.
images_for_boards() {
  local name
  cmd_image qemu-arm64 qemu-x86_64 rpi4
  cmd_image --debug qemu-x86_64
  for name in sample busybox; do step "image-$name-arm64" "Making image $name for arm64" env ARCHITECTURE=arm64 "images/$name/build.sh"; done
}

# The tests themselves say what is missing and count as skipped.
emulates_debian() { [ "$(native_architecture)" = x64 ] && [ -e /dev/net/tun ]; }

# test_project NAME PROJECT FILTER FAST: runs it and adds what its result file says; a host that crashed counts as failed.
test_project() {
  local name=$1 project=$2 filter=$3 fast=$4 trx=$results/$1.trx start=$SECONDS code=0 options=() limit=2400 hang=25m p f s
  filter=${filter:+FullyQualifiedName~$filter}
  if $fast; then filter=${filter:+$filter&}TestCategory!=long; fi
  [ -z "$filter" ] || options=(--filter "$filter")
  # One test, with 41 boots.
  if [ "${EDGEVIRT_POWER_CUTS:-}" ]; then limit=12000 hang=180m; fi
  timeout --kill-after=30 "$limit" dotnet test "$project" --no-build --nologo --results-directory "$results" \
    --logger "trx;LogFileName=$name.trx" --blame-hang --blame-hang-timeout "$hang" --blame-hang-dump-type none \
    "${options[@]}" >"$logs/$name.log" 2>&1 </dev/null &
  watch_job $! "Testing $name" || code=$?

  read -r p f s < <(read_results "$trx")
  if [ "$code" -ne 0 ] && [ "$f" -eq 0 ]; then
    f=1
    printf '%s\n' "the test host of $name ended with $code before every result was in" >"$trx.failed"
    tail -n 20 "$logs/$name.log" | sed 's/^/    | /'
  fi
  passed=$((passed + p))
  failed=$((failed + f))
  skipped=$((skipped + s))
  printf '  %-28s %5d passed %3d failed %3d skipped %5d s\n' "$name" "$p" "$f" "$s" "$((SECONDS - start))"
  if [ "$f" -gt 0 ]; then
    sed 's/^/    FAILED /' "$trx.failed"
    say "    log: artifacts/dev/$name.log"
  fi
  [ ! -s "$trx.skipped" ] || sed "s/^/$name: /" "$trx.skipped" >>"$results/skipped"
}

# Waits for a job with a sign of life every half minute, so that nobody takes it for dead.
watch_job() {
  local pid=$1 text=$2 start=$SECONDS next=$((SECONDS + 30))
  step_pid=$pid
  while kill -0 "$pid" 2>/dev/null; do
    if [ -t 1 ]; then
      printf '\r\033[K  %s … %d s' "$text" "$((SECONDS - start))"
    elif [ "$SECONDS" -ge "$next" ]; then
      say "  $text … $((SECONDS - start)) s"
      next=$((SECONDS + 30))
    fi
    sleep 0.3
  done
  [ ! -t 1 ] || printf '\r\033[K'
  wait "$pid"
}

# read_results TRX: prints "passed failed skipped"; names of the failed and the skipped go to files beside it.
read_results() {
  : >"$1.failed"
  : >"$1.skipped"
  if [ ! -f "$1" ]; then echo 0 0 0; return; fi
  awk -v failed_file="$1.failed" -v skipped_file="$1.skipped" '
    function text(name,   value) {
      value = $0
      if (!match(value, name "=\"[^\"]*\"")) return ""
      value = substr(value, RSTART + length(name) + 2, RLENGTH - length(name) - 3)
      gsub(/&quot;/, "\"", value); gsub(/&lt;/, "<", value); gsub(/&gt;/, ">", value); gsub(/&amp;/, "\\&", value)
      return value
    }
    function message(   value) {
      value = $0
      if (!match(value, /<Message>[^<]*/)) return ""
      value = substr(value, RSTART + 9, RLENGTH - 9)
      gsub(/&#xD;|\r/, "", value); gsub(/[ \n\t]+/, " ", value)
      gsub(/&quot;/, "\"", value); gsub(/&lt;/, "<", value); gsub(/&gt;/, ">", value); gsub(/&amp;/, "\\&", value)
      return substr(value, 1, 400)
    }
    BEGIN { RS = "<UnitTestResult " }
    NR > 1 {
      outcome = text("outcome")
      if (outcome == "Passed") passed++
      else if (outcome == "NotExecuted" || outcome == "Inconclusive") { skipped++; print text("testName") ": " message() >skipped_file }
      else { failed++; print text("testName") ": " message() >failed_file }
    }
    END { print passed + 0, failed + 0, skipped + 0 }' "$1"
}

# smoke ARCHITECTURE: runs the published smoke program, a foreign one under qemu, and adds its counts.
smoke() {
  local architecture=$1 program=artifacts/publish/$1/aot-smoke/edgevirt-aot-smoke log=$logs/smoke-$1.log start=$SECONDS code=0 emulator=() line
  if [ "$architecture" != "$(native_architecture)" ]; then
    if [ "$architecture" = x64 ]; then
      skipped=$((skipped + 1))
      echo "AOT smoke, x64: this machine is $(uname -m), and only arm64 is emulated" >>"$results/skipped"
      return 0
    fi
    step arm64-root "Unpacking the arm64 libraries" tools/dev/arm64-root
    emulator=("$(command -v qemu-aarch64-static qemu-aarch64 | head -n 1)" -L artifacts/arm64-root)
  fi
  timeout --kill-after=10 600 "${emulator[@]}" "$program" >"$log" 2>&1 </dev/null &
  watch_job $! "Smoke on $architecture" || code=$?
  line=$(grep -E '^smoke [0-9]+ passed, [0-9]+ failed$' "$log" | tail -n 1 || true)
  local p=0 f=0
  if [[ $line =~ ^smoke\ ([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
    p=${BASH_REMATCH[1]}
    f=${BASH_REMATCH[2]}
  fi
  if [ $((p + f)) -eq 0 ] || { [ "$code" -ne 0 ] && [ "$f" -eq 0 ]; }; then f=$((f + 1)); fi
  passed=$((passed + p))
  failed=$((failed + f))
  printf '  %-28s %5d passed %3d failed %3d skipped %5d s\n' "AOT smoke, $architecture" "$p" "$f" 0 "$((SECONDS - start))"
  if [ "$f" -gt 0 ]; then
    tail -n 25 "$log" | sed 's/^/    | /'
    say "    log: ${log#"$repo"/} (exit code $code)"
  fi
}

cmd_smoke() {
  local architecture
  mkdir -p "$results"
  for architecture in "${@:-$(native_architecture)}"; do
    case $architecture in x64 | arm64) ;; *) fail "smoke takes x64 or arm64" ;; esac
    if [ "$architecture" = "$(native_architecture)" ]; then setup_for build; else setup_for test; fi
    publish_part aot-smoke "$architecture"
    smoke "$architecture"
  done
  [ "$failed" -eq 0 ]
}

cmd_bench() {
  local name
  case ${1:-} in container-start | container-density | image-pull | flash) setup_for bench ;; *) setup_for build up ;; esac
  for name in agent cli hub; do publish_part "$name" "$(native_architecture)"; done
  cmd_image busybox
  cmd_image sample
  if [ "${1:-}" = node-os ]; then setup_for test; cmd_image qemu-arm64; fi
  step bench-build "Building the benchmarks" dotnet build -v q -c Release tests/EdgeVirt.Benchmarks
  dotnet tests/EdgeVirt.Benchmarks/bin/Release/net10.0/EdgeVirt.Benchmarks.dll "$@"
}

cmd_fuzz() {
  setup_for build
  step bench-build "Building the benchmarks" dotnet build -v q -c Release tests/EdgeVirt.Benchmarks
  dotnet tests/EdgeVirt.Benchmarks/bin/Release/net10.0/EdgeVirt.Benchmarks.dll fuzz "$@"
}
