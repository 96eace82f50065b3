# shellcheck shell=bash
# The development fleet's network: bridge edgevirt0 on the host, one namespace edgevirt-N per node, a link between.

bridge=edgevirt0

# free_network: the first of 10.213.0 … 10.219.0 that no address or route of this machine overlaps.
free_network() {
  local second taken
  taken=$(ip -4 route show table all; ip -4 -oneline address show)
  for second in 213 214 215 216 217 218 219; do
    if ! grep -qF " 10.$second." <<<" $taken"; then
      printf '10.%s.0\n' "$second"
      return
    fi
  done
  fail "10.213.0.0/24 to 10.219.0.0/24 are all taken on this machine"
}

make_bridge() {
  ip link add "$bridge" type bridge
  ip address add "$network.1/24" dev "$bridge"
  ip link set "$bridge" up
}

# make_place N: namespace, link and address of node N.
make_place() {
  local name=edgevirt-$1
  ip netns add "$name"
  ip link add "edgevirt-h$1" type veth peer name eth0 netns "$name"
  ip link set "edgevirt-h$1" master "$bridge" up
  ip -n "$name" link set lo up
  ip -n "$name" address add "$network.$((10 + $1))/24" dev eth0
  ip -n "$name" link set eth0 up
  ip -n "$name" route add default via "$network.1"
}

# Names of what there is of it, however it came about.
our_namespaces() { ip netns list 2>/dev/null | cut -d' ' -f1 | grep -E '^edgevirt-[0-9]+$' || true; }
our_links() { ip -oneline link show | cut -d: -f2 | sed 's/^ //; s/@.*//' | grep -E "^($bridge|edgevirt-h[0-9]+)\$" || true; }

# port_is_free PORT: on the bridge's address, where a service on every address counts too.
port_is_free() { ! ss -Hltn "sport = :$1" | awk '{ print $4 }' | grep -qE "^(0\\.0\\.0\\.0|\\*|\\[::\\]|${network//./\\.}\\.1):"; }

# choose_port WANTED: that port, or the next hundred's where another service has it.
choose_port() {
  local port
  for port in "$1" $(($1 + 10000)) $(($1 + 20000)) $(($1 + 30000)); do
    if port_is_free "$port"; then printf '%s\n' "$port"; return; fi
  done
  fail "port $1 is taken, and so are its replacements"
}
