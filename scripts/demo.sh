#!/usr/bin/env bash
# Shows what cmuxproxy is for: one URL, http://localhost:3000/, that is two remote workspaces at once. The workspaces are programs on
# this machine; everything runs in a temporary folder and is gone at the end.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n%s\n' "$*"; }
done_with() { printf '  ✓ %s\n' "$*"; }
fail() {
  printf '  ✗ %s\n' "$*" >&2
  exit 1
}

work=
pids=()
# Ends what start() started, the last first, so that the proxy goes before what it talks to. What does not go within ten seconds is
# made to, and is a failure.
end_all() {
  local pid stubborn=0
  while ((${#pids[@]} > 0)); do
    pid=${pids[-1]}
    unset 'pids[-1]'
    kill "$pid" 2>/dev/null || true
    if ! wait_for_end "$pid"; then
      stubborn=1
      kill -KILL "$pid" 2>/dev/null || true
    fi
    wait "$pid" 2>/dev/null || true
  done
  return $stubborn
}
wait_for_end() {
  for _ in {1..100}; do
    kill -0 "$1" 2>/dev/null || return 0
    sleep 0.1
  done
  return 1
}
cleanup() {
  local status=$?
  trap - EXIT
  trap '' INT TERM HUP
  end_all || status=1
  if ((status != 0)) && [[ -n $work ]]; then
    printf '\nThe demo failed (exit %s). What the programs said:\n' "$status" >&2
    for log in "$work"/*.log; do
      if [[ -s $log ]]; then printf -- '--- %s\n' "${log##*/}" >&2 && cat "$log" >&2; fi
    done
  fi
  [[ -z $work ]] || rm -rf "$work"
  exit "$status"
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# json_field NAME <document: the value of a top-level field.
json_field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

# start NAME COMMAND...: runs it in the background; once it has printed its ready line, that is in $ready.
start() {
  local name=$1
  shift
  : >"$work/$name.ready"  # so that it is there to be read at once
  "$@" >"$work/$name.ready" 2>"$work/$name.log" </dev/null &
  pids+=($!)
  for _ in {1..100}; do
    # Not before the line is whole.
    if IFS= read -r ready <"$work/$name.ready"; then return; fi
    kill -0 "${pids[-1]}" 2>/dev/null || fail "$name ended before it was ready"
    sleep 0.1
  done
  fail "$name was not ready within 10 seconds"
}

# create_context WORKSPACE FLAG...: prints the context's document.
create_context() { "$cmuxproxy" ctx create --json --from-url "https://cmux-$1-base-3000.cmux.app" "${@:2}"; }

# fetch PROXY-URL URL: curl as it is for people, but for the variables that would lead it elsewhere.
fetch() { env -u no_proxy -u NO_PROXY -u ALL_PROXY -u all_proxy curl --silent --show-error --fail --max-time 10 --noproxy '' --proxy "$1" "$2"; }

# must_say WANTED GOT
must_say() { if [[ $2 != "$1" ]]; then fail "expected '$1', got '$2'"; fi; }

step 'Building (the first time takes a few minutes) ...'
scripts/deps.sh
scripts/build.sh release cmuxproxy fake-workspace
cmuxproxy=$PWD/build/release/cmuxproxy
done_with "$("$cmuxproxy" version | head -n 1)"

work=$(mktemp -d "${TMPDIR:-/tmp}/cmuxproxy-demo.XXXXXX")
# Settings of the user's own must not reach the demo's instance.
for variable in "${!CMUXPROXY_@}"; do unset "$variable"; done
export CMUXPROXY_RUNTIME_DIR=$work/run CMUXPROXY_STATE_DIR=$work/state XDG_CONFIG_HOME=$work/config

step 'Starting two fake workspaces, alpha and beta, that speak https ...'
fixtures/certs.sh "$work/certs"
resolve=()
for workspace in alpha beta; do
  start "workspace-$workspace" build/release/fixtures/fake-workspace --name "$workspace" --https 0 \
    --cert "$work/certs/srv.crt" --key "$work/certs/srv.key"
  port=$(json_field https <<<"$ready")
  for name in "cmux-$workspace-*.cmux.test" "port-*-morphvm-$workspace.http.cloud.morph.test"; do
    resolve+=(--resolve "$name=127.0.0.1:$port")
  done
  done_with "the machine of $workspace is 127.0.0.1:$port"
done

step 'Starting the proxy ...'
start cmuxproxy "$cmuxproxy" serve --json --listen 127.0.0.1:0 --upstream-ca "$work/certs/ca.crt" "${resolve[@]}"
done_with "cmuxproxy listens on $(json_field proxy <<<"$ready"), pid ${pids[-1]}"

step 'Creating a context for each workspace ...'
declare -A proxy_url context_id
declare -A way=(
  [alpha]='--direct --morph-domain-suffix .http.cloud.morph.test'  # straight to the proxy in the machine
  [beta]='--domain-suffix cmux.test'                               # by the public proxy
)
for workspace in alpha beta; do
  read -ra flags <<<"${way[$workspace]}"
  context=$(create_context "$workspace" "${flags[@]}") || fail "ctx create for $workspace"
  proxy_url[$workspace]=$(json_field proxyUrl <<<"$context")
  context_id[$workspace]=$(json_field id <<<"$context")
  done_with "${context_id[$workspace]}: localhost is $workspace, ${way[$workspace]}"
done

step 'curl --proxy <its context> http://localhost:3000/ ...'
for workspace in alpha beta; do
  answer=$(fetch "${proxy_url[$workspace]}" http://localhost:3000/) || fail "no answer from $workspace"
  must_say "workspace $workspace scope base port 3000" "$answer"
  done_with "with $workspace's: $answer"
done
echo=$(fetch "${proxy_url[alpha]}" http://localhost:3000/echo) || fail 'no answer from alpha'
must_say 'alpha True port-39379-morphvm-alpha.http.cloud.morph.test' \
  "$(json_field server <<<"$echo") $(json_field tls <<<"$echo") $(json_field sni <<<"$echo")"
done_with 'and the workspace was asked over https, as port-39379-morphvm-alpha.http.cloud.morph.test'
must_say localhost:3000 "$(json_field innerHost <<<"$echo")"
done_with 'where the dev server sees Host: localhost:3000, as frameworks want it'

step 'A WebSocket to ws://localhost:3000/ws through CONNECT ...'
for workspace in alpha beta; do
  echo=$(node tests/e2e/node/ws-echo.mjs "${proxy_url[$workspace]}" ws://localhost:3000/ws "hello $workspace" 2>"$work/ws-$workspace.log") ||
    fail "the WebSocket to $workspace failed"
  must_say "hello $workspace" "$echo"
  done_with "echoed by $workspace: $echo"
done

step 'Without valid credentials there is nothing to see ...'
"$cmuxproxy" ctx release "${context_id[beta]}" >"$work/release.log" 2>&1 || fail 'ctx release'
status=$(curl --silent --max-time 10 --noproxy '' --output /dev/null --write-out '%{http_code}' --proxy "${proxy_url[beta]}" \
  http://localhost:3000/) || fail 'no answer with released credentials'
must_say 407 "$status"
done_with "beta's context is released: its credentials are answered $status"

step 'Stopping ...'
proxy=${pids[-1]}
"$cmuxproxy" stop >"$work/stop.log" 2>&1 || fail 'stop'
wait_for_end "$proxy" || fail 'the proxy did not end'
unset 'pids[-1]'
if wait "$proxy"; then status=0; else status=$?; fi
must_say 0 "$status"
done_with 'the proxy has ended with exit code 0'
end_all || fail 'a workspace did not end'
done_with 'nothing is left running'
