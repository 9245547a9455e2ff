#!/usr/bin/env bash
# Shows what cmuxproxy is for: one URL, http://localhost:3000/, that is two remote workspaces at once. The workspaces are programs on
# this machine; everything runs in a temporary folder and is gone at the end.
set -euo pipefail
cd "$(dirname "$0")/.."

source scripts/demo_lib.sh

# create_context WORKSPACE FLAG...: prints the context's document.
create_context() { "$cmuxproxy" ctx create --json --from-url "https://cmux-$1-base-3000.cmux.app" "${@:2}"; }

# fetch PROXY-URL URL: curl as it is for people, but for the variables that would lead it elsewhere.
fetch() { env -u no_proxy -u NO_PROXY -u ALL_PROXY -u all_proxy curl --silent --show-error --fail --max-time 10 --noproxy '' --proxy "$1" "$2"; }

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
