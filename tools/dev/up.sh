# shellcheck shell=bash
# ./dev up, status and cli: a hub, a registry and N nodes as child processes of this machine.

run_directory=/run/edgevirt-dev
registry_data=$logs/registry
cli=$artifacts/publish/$(native_architecture)/cli/edgevirt

# The hub and the registry need no rights, so they get none: the caller of sudo, else the checkout's owner, else nobody.
service_user() {
  local user
  for user in "${SUDO_UID:-0}" "$(stat -c %u "$repo")" 65534; do
    [ "$user" -ne 0 ] || continue
    if as_user "$user" test -x "$artifacts/publish/$(native_architecture)/hub/edgevirt-hub" -a -r "$repo/images"; then
      printf '%s\n' "$user"
      return
    fi
  done
  # A checkout below /root, for instance: nobody else can read the programs.
  printf '0\n'
}

as_user() {
  local user=$1
  shift
  if [ "$user" -eq 0 ]; then "$@"; else setpriv --reuid "$user" --regid "$user" --clear-groups --no-new-privs -- "$@"; fi
}

# After sudo ./dev up the login at the hub is root's.
may_log_in() { [ "$(id -u)" -eq 0 ] || [ -r "$state/config/edgevirt/config.json" ]; }

edgevirt() { XDG_CONFIG_HOME=$state/config "$cli" "$@"; }

# One up or down at a time; the lock is on this script, so there is no lock file to leave behind.
take_lock() {
  exec 8<"$repo/dev"
  flock -n 8 || fail "another ./dev up or ./dev down is at work here"
  if [ -f "$run_directory/owner" ] && [ "$(cat "$run_directory/owner")" != "$repo" ] && [ -d "$(cat "$run_directory/owner")" ]; then
    fail "$(cat "$run_directory/owner") has its fleet up: run ./dev down there first"
  fi
}

cmd_up() {
  local nodes=1 detach=false part
  while [ $# -gt 0 ]; do
    case $1 in
      --nodes) nodes=${2:-}; shift ;;
      --nodes=*) nodes=${1#*=} ;;
      --detach | -d) detach=true ;;
      *) fail "up takes --nodes N and --detach, not '$1'" ;;
    esac
    shift || true
  done
  [[ $nodes =~ ^[1-9][0-9]?$ ]] || fail "--nodes takes a number from 1 to 99"
  [ "$(id -u)" -eq 0 ] || fail "up needs root, because nodes run containers. Run: sudo ./dev up"
  take_lock
  if [ -f "$state/nodes.count" ] && all_running; then
    say "It is up already, with $(cat "$state/nodes.count") node(s). ./dev down ends it."
    cmd_status
    return
  fi

  say "Preparing"
  setup_for build up
  for part in agent cli hub; do publish_part "$part" "$(native_architecture)"; done
  cmd_image sample
  if something_left; then
    say "Taking down what an earlier run left"
    take_down
  fi

  trap 'abort_up' EXIT
  say "Starting a hub and $nodes node(s)"
  start_fleet "$nodes"
  trap - EXIT
  printf '%s\n' "$nodes" >"$state/nodes.count"
  summary "$nodes"
  if ! $detach; then follow "$nodes"; fi
}

# Ends a start that failed or was interrupted, and what it had begun. Logs stay.
abort_up() {
  local code=$?
  trap - EXIT
  trap '' INT TERM HUP
  say "Not up. Taking down what was started; logs stay in artifacts/dev/."
  take_down || true
  exit "$((code == 0 ? 1 : code))"
}

start_fleet() {
  local nodes=$1 n
  network=$(free_network)
  api_port=$(choose_port 8443)
  node_port=$(choose_port 8444)
  mqtt_port=$(choose_port 8883)
  registry_port=$(choose_port 5000)
  user=$(service_user)
  mkdir -p "$state" "$run_directory"
  chmod 0711 "$state"
  printf '%s\n' "$repo" >"$run_directory/owner"
  declare -p network api_port node_port mqtt_port registry_port user >"$state/settings"
  make_bridge

  start_registry
  step registry-push "Pushing the sample image" \
    skopeo copy --insecure-policy --dest-tls-verify=false "oci:artifacts/images/sample:1" "docker://$network.1:$registry_port/sample/web:1"
  start_hub
  for ((n = 1; n <= nodes; n++)); do make_place "$n"; done
  step claim "Making a claim for $nodes node(s)" edgevirt node claim create dev --uses "$nodes" --output-file "$state/claim.token"
  for ((n = 1; n <= nodes; n++)); do start_agent "$n"; done
  rm -f "$state/claim.token"
  step nodes "Waiting for the node(s) to be Ready" wait_nodes "$nodes"
  step apply "Applying images/sample/workload.yaml" edgevirt apply -f images/sample/workload.yaml
  step workload "Waiting for workload web to be Ready" wait_workload web "$nodes"
  step page "Fetching the page from each node" fetch_pages "$nodes"
}

start_registry() {
  install -d -m 0755 -o "$user" -g "$user" "$registry_data"
  cat >"$state/registry.yml" <<YAML
version: 0.1
log:
  level: info
storage:
  filesystem:
    rootdirectory: $registry_data
http:
  addr: $network.1:$registry_port
YAML
  launch registry "$user" docker-registry serve "$state/registry.yml"
  step registry-ready "Starting the registry" wait_for 20 registry curl -fsS -o "$state/registry.answer" "http://$network.1:$registry_port/v2/"
}

start_hub() {
  install -d -m 0700 -o "$user" -g "$user" "$state/hub"
  launch hub "$user" "$artifacts/publish/$(native_architecture)/hub/edgevirt-hub" \
    --data-dir "$state/hub" --listen "$network.1" --advertise "$network.1" \
    --api-port "$api_port" --node-port "$node_port" --mqtt-port "$mqtt_port"
  step hub-ready "Starting the hub" wait_for 30 hub hub_answers
  step login "Logging in" edgevirt login --server "https://$network.1:$api_port" --token-file "$state/hub/admin.token" --ca-file "$state/hub/pki/ca.crt"
}

hub_answers() {
  [ -f "$state/hub/pki/ca.crt" ] && [ -f "$state/hub/admin.token" ] &&
    curl -fsS --cacert "$state/hub/pki/ca.crt" -o "$state/hub.answer" "https://$network.1:$api_port/api/v1/version"
}

start_agent() {
  local n=$1 directory=$state/nodes/$1
  # As the agent makes them itself: containers and machines with users of their own pass through.
  install -d -m 0711 "$directory" "$directory/data" "$run_directory/$n"
  install -m 0600 "$state/claim.token" "$directory/claim.token"
  cat >"$directory/agent.json" <<JSON
{
  "nodeName": "node-$n",
  "hub": "$network.1:$node_port",
  "claimTokenFile": "$directory/claim.token",
  "dataDir": "$directory/data",
  "runDir": "$run_directory/$n",
  "registries": { "registry.edgevirt.local": { "url": "http://$network.1:$registry_port" } }
}
JSON
  launch "agent-$n" 0 nsenter "--net=/run/netns/edgevirt-$n" -- "$artifacts/publish/$(native_architecture)/agent/edgevirt-agent" --config "$directory/agent.json"
  step "agent-$n-ready" "Starting node-$n" wait_for 30 "agent-$n" test -e "$run_directory/$n/ready"
}

# A condition that holds, by jq, within a minute and a half; else the question's last answer is the reason.
wait_json() {
  local condition=$1 reason=$2 deadline=$((SECONDS + 90)) answer
  shift 2
  while true; do
    answer=$(edgevirt "$@" --output json 2>&1) || true
    if jq -e "$condition" <<<"$answer" >/dev/null 2>&1; then return 0; fi
    if [ "$SECONDS" -ge "$deadline" ]; then
      say "Not within 90 s. The hub says:"
      jq -r "$reason" <<<"$answer" 2>/dev/null || printf '%s\n' "$answer"
      return 1
    fi
    sleep 0.3
  done
}

wait_nodes() {
  wait_json "[.items[] | select(any(.status.conditions[]?; .type == \"Ready\" and .status == \"True\"))] | length == $1" \
    '.items[] | "\(.metadata.name): \([.status.conditions[]? | "\(.type)=\(.status) \(.reason) \(.message // "")"] | join("; "))"' get nodes
}

wait_workload() {
  wait_json ".status.readyInstances == $2 and .status.desiredInstances == $2" \
    '.status.instances[]? | "\(.node): \([.conditions[]? | "\(.type)=\(.status) \(.reason) \(.message // "")"] | join("; "))"' get workload "$1"
}

fetch_pages() {
  local n url
  for ((n = 1; n <= $1; n++)); do
    url=http://$network.$((10 + n)):8080/
    curl -fsS --retry 10 --retry-connrefused --retry-delay 1 --max-time 20 "$url" | tee "$logs/page-$n.html"
    grep -q 'EdgeVirt runs this' "$logs/page-$n.html" || { say "$url answers something else"; return 1; }
  done
}

summary() {
  local n sudo=${SUDO_USER:+sudo }
  say ""
  edgevirt get nodes
  say ""
  edgevirt get workloads
  say ""
  say "Hub               https://$network.1:$api_port  (REST API; this machine only)"
  say "Admin credential  ${state#"$repo"/}/hub/admin.token"
  for ((n = 1; n <= $1; n++)); do say "Page of node-$n    http://$network.$((10 + n)):8080/"; done
  say ""
  say "Try next:"
  say "  curl http://$network.11:8080/"
  say "  ${sudo}./dev cli describe workload web"
  say "  ${sudo}./dev cli logs web -f"
  say "  ${sudo}./dev cli telemetry query --node node-1"
  say "  ${sudo}./dev down"
}

follow() {
  local n files=("$logs/hub.log") watched=(hub registry) name
  for ((n = 1; n <= $1; n++)); do files+=("$logs/agent-$n.log"); watched+=("agent-$n"); done
  say ""
  say "The logs of the hub and the node(s) follow. Ctrl-C takes everything down."
  interrupted=false
  trap 'interrupted=true' INT TERM HUP
  # The lock is free while we only watch, so that ./dev down works from elsewhere.
  exec 8<&-
  tail -n 0 -F "${files[@]}" 2>/dev/null &
  local tail_pid=$!
  while ! $interrupted && [ -d "$state" ]; do
    for name in "${watched[@]}"; do
      if [ -f "$state/processes/$name" ] && ! running "$name"; then
        say "dev: $name has ended; its log is artifacts/dev/$name.log"
        rm -f "$state/processes/$name"
      fi
    done
    sleep 0.5 || true
  done
  kill "$tail_pid" 2>/dev/null || true
  trap '' INT TERM HUP
  if [ -d "$state" ]; then
    say ""
    cmd_down
  fi
}

all_running() {
  local file
  for file in "$state/processes"/*; do
    running "${file##*/}" || return 1
  done
}

cmd_status() {
  if [ ! -f "$state/settings" ]; then
    say "Nothing is up. ./dev up starts a hub and a node."
    return
  fi
  # shellcheck disable=SC1091 # Written by start_fleet.
  . "$state/settings"
  local file name
  for file in "$state/processes"/*; do
    name=${file##*/}
    if running "$name"; then printf '  %-12s process %s\n' "$name" "$(cut -d' ' -f1 "$file")"; else printf '  %-12s ended\n' "$name"; fi
  done
  running hub || return 0
  if ! may_log_in; then
    say "Nodes and workloads: sudo ./dev status"
    return
  fi
  summary "$(cat "$state/nodes.count" 2>/dev/null || echo 0)"
}

cmd_cli() {
  [ -f "$state/settings" ] || fail "nothing is up: ./dev up first"
  may_log_in || fail "the login at this hub is root's, as up was. Run: sudo ./dev cli $*"
  edgevirt "$@"
}
