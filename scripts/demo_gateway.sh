#!/usr/bin/env bash
# The whole way over three machines, which are network namespaces of this one: a laptop with `serve`, a public host with `gateway names`
# (TLS, access by tokens), and a workspace's machine with `gateway machine` (a secret) and a dev server that only the machine reaches.
#
#   laptop 10.84.1.1 ──── 10.84.1.2 public 10.84.2.1 ──── 10.84.2.2 machine
#
#   demo_gateway.sh [--rtt MS] [--loss PERCENT] [--bench]
#
# --rtt and --loss are those of the line between laptop and public host (scripts/line.py). --bench then measures a page in Chromium over
# the whole way, and over `ssh -L` straight to the machine (bench/far.mjs; scripts/deps.sh --tests installs what that needs).
# Nothing of it is seen outside, and it is gone at the end. Needs root or user namespaces, iproute2, openssl, curl and python3.
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ ${CMUX_DEMO_INSIDE:-} != 1 ]]; then
  scripts/build.sh release cmuxproxy
  # Root needs no user namespace, which some systems forbid.
  if unshare --net true 2>/dev/null; then way=(unshare --net); else way=(unshare --user --map-root-user --net); fi
  CMUX_DEMO_INSIDE=1 exec "${way[@]}" -- "$0" "$@"
fi

source scripts/demo_lib.sh
rtt=0 loss=0 bench=0
while (($# > 0)); do
  case $1 in
    --rtt) rtt=$2 && shift 2 ;;
    --loss) loss=$2 && shift 2 ;;
    --bench) bench=1 && shift ;;
    *) fail "unknown argument: $1" ;;
  esac
done
work=$(mktemp -d "${TMPDIR:-/tmp}/cmuxproxy-gateway.XXXXXX")
cmuxproxy=$PWD/build/release/cmuxproxy
for variable in "${!CMUXPROXY_@}"; do unset "$variable"; done
export XDG_CONFIG_HOME=$work/config

# on MACHINE COMMAND...: there. The laptop is this namespace.
declare -A holder
on() {
  local where=$1 run=()
  shift
  if ((BASH_SUBSHELL > 0)); then run=(exec); fi  # in the background: so that who ends it ends the program, not a shell around it
  if [[ $where == laptop ]]; then ${run[@]+"${run[@]}"} env CMUXPROXY_RUNTIME_DIR="$work/laptop" CMUXPROXY_STATE_DIR="$work/laptop" "$@"
  else ${run[@]+"${run[@]}"} nsenter --net="/proc/${holder[$where]}/ns/net" -- env CMUXPROXY_RUNTIME_DIR="$work/$where" CMUXPROXY_STATE_DIR="$work/$where" "$@"; fi
}

# line NAME LEFT ADDRESS RIGHT ADDRESS [RTT LOSS]: between two machines.
line() {
  local left=${holder[$2]:-$$} right=${holder[$4]}
  if (($# > 5)); then start "$1" scripts/line.py "$left" "$1-a" "$right" "$1-b" "$6" "$7"
  else nsenter --net="/proc/$left/ns/net" -- ip link add "$1-a" type veth peer name "$1-b" netns "$right"; fi
  on "$2" ip address add "$3/24" dev "$1-a" && on "$2" ip link set "$1-a" up
  on "$4" ip address add "$5/24" dev "$1-b" && on "$4" ip link set "$1-b" up
}

step 'Three machines ...'
mkdir -p "$work"/{laptop,public,machine,site}
ip link set lo up
for name in public machine; do
  start "$name" unshare --net -- sh -c 'ip link set lo up && echo ready && exec sleep infinity'
  holder[$name]=${pids[-1]}
done
slow=() && if [[ $rtt != 0 || $loss != 0 ]]; then slow=("$rtt" "$loss"); fi
line one laptop 10.84.1.1 public 10.84.1.2 ${slow[@]+"${slow[@]}"}
line two public 10.84.2.1 machine 10.84.2.2
if curl --silent --max-time 1 http://10.84.2.2:39379/ >/dev/null; then fail 'the laptop reaches the machine by itself'; fi
done_with 'laptop, public and machine; the laptop reaches the public host alone'

step 'In the machine: a dev server on 127.0.0.1:3000, and gateway machine with a secret ...'
echo 'hello from the machine' >"$work/site/index.html"
start dev on machine python3 -u -c "
import functools, http.server
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory='$work/site')
server = http.server.ThreadingHTTPServer(('127.0.0.1', 3000), handler)
print('ready', flush=True)
server.serve_forever()"
openssl rand -hex 32 >"$work/machine.token"
start gateway-machine on machine "$cmuxproxy" gateway machine --json --token "$work/machine.token" --listen 10.84.2.2:39379
done_with "it listens on $(json_field proxy <<<"$ready")"

step 'On the public host: gateway names for *.preview.test, with TLS and access by tokens ...'
fixtures/certs.sh "$work/certs" '*.preview.test' preview.test
"$cmuxproxy" gateway key make "$work/keys.json" 2>/dev/null
"$cmuxproxy" gateway key list --public "$work/keys.json" >"$work/public.json"  # checking needs no secret
echo 'abc = "h2c://10.84.2.2:39379"' >"$work/machines.toml"
start gateway-names on public "$cmuxproxy" gateway names --json --domain preview.test --listen 10.84.1.2:443 \
  --machines "$work/machines.toml" --machine-token "$work/machine.token" --keys "$work/public.json" \
  --tls-cert "$work/certs/srv.crt" --tls-key "$work/certs/srv.key"
done_with "it listens on $(json_field proxy <<<"$ready"); machine abc is $(cut -d'"' -f2 "$work/machines.toml")"

step 'On the laptop: serve, and a context whose route shows a token ...'
start serve on laptop "$cmuxproxy" serve --json --listen 127.0.0.1:0 --upstream-ca "$work/certs/ca.crt" \
  --resolve '*.preview.test=10.84.1.2'
route=(--morph-id abc --scope base --domain-suffix preview.test)
token=$("$cmuxproxy" gateway token --keys "$work/keys.json" --id abc --ttl 1h)
echo "Authorization: Bearer $token" >"$work/header" && chmod 600 "$work/header"
proxy_of() { on laptop "$cmuxproxy" ctx create --json "${route[@]}" "$@" | json_field proxyUrl; }
with=$(proxy_of --header-file "$work/header") without=$(proxy_of)
fetch() { curl --silent --show-error --max-time 20 --noproxy '' --proxy "$1" "${@:2}"; }

step 'curl --proxy <its context> http://localhost:3000/ ...'
must_say 'hello from the machine' "$(fetch "$with" http://localhost:3000/)"
done_with "$(fetch "$with" http://localhost:3000/)"
must_say 401 "$(fetch "$without" --output /dev/null --write-out '%{http_code}' http://localhost:3000/)"
done_with 'without a token: 401'
must_say 502 "$(fetch "$with" --output /dev/null --write-out '%{http_code}' http://localhost:3001/)"
done_with 'a port on which nobody listens: 502'
head --bytes 50M /dev/zero >"$work/site/large"
done_with "50 MB: $(fetch "$with" --output /dev/null --write-out '%{time_total} s' http://localhost:3000/large)," \
  "a small page over the kept connections: $(fetch "$with" --output /dev/null --write-out '%{time_starttransfer} s' http://localhost:3000/)"

if ((bench)); then
  step "The same beside ssh -L, with $rtt ms there and back and $loss % of the packets lost ..."
  # For ssh alone, the public host is a router.
  on public sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'
  on machine ip route add 10.84.1.0/24 via 10.84.2.1
  ip route add 10.84.2.0/24 via 10.84.1.2
  on laptop env CMUX_FAR_MACHINE="${holder[machine]}" CMUX_FAR_PROXY="$with" CMUX_FAR_FILE="$work/site/large" node bench/far.mjs
fi
step 'That is the whole way.'
