# shellcheck shell=bash
# ./dev down: ends whatever there is of the fleet, in any state that a crash may have left it in.

something_left() {
  [ -d "$state" ] || [ -d "$run_directory" ] || [ -n "$(our_namespaces)" ] || [ -n "$(our_links)" ]
}

cmd_down() {
  [ "$(id -u)" -eq 0 ] || fail "down needs root, as up did. Run: sudo ./dev down"
  take_lock
  if ! something_left; then
    say "Nothing is up."
    return
  fi
  take_down || fail "some of it is still there, as listed above"
  say "Down: no process, mount, namespace, link or state of it is left. Logs stay in artifacts/dev/."
}

take_down() {
  local file name n link arguments=() code=0
  # Agents first, so that none starts a container again; then what they serve.
  for file in "$state/processes"/agent-* "$state/processes"/*; do
    [ -f "$file" ] || continue
    name=${file##*/}
    stop "$name" 5 || code=1
  done
  for name in $(our_namespaces); do arguments+=(--netns "$name"); done
  for file in "$state/nodes"/*/data; do arguments+=(--dir "$file"); done
  step down "Ending containers, mounts and namespaces" \
    tools/dev/remove-node "${arguments[@]}" --dir "$state" --dir "$run_directory" || code=1
  for link in $(our_links); do ip link delete "$link" 2>/dev/null || true; done
  # Nothing is deleted through a mount that would not go.
  if [ "$code" -eq 0 ]; then
    rm -rf --one-file-system "$state" "$registry_data" "$run_directory"
  fi
  for n in $(our_namespaces) $(our_links); do
    say "  $n is still there"
    code=1
  done
  return "$code"
}
