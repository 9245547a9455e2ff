#!/bin/sh
# tour.sh COMMAND...: what the demo shows, with an installed program, which COMMAND runs. $WORKSPACES is where fake workspaces answer for
# *.cmux.test by TLS, $WORKSPACES_CA the file of their CA. Plain sh and curl: it runs in a bare system.
set -eu
say() { printf '  ✓ %s\n' "$*"; }
fail() { printf '  ✗ %s\n' "$*" >&2; exit 1; }
must() { [ "$2" = "$1" ] || fail "expected '$1', got '$2'"; }
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY all_proxy ALL_PROXY no_proxy NO_PROXY || true

export CMUXPROXY_RESOLVE="*.cmux.test=$WORKSPACES" CMUXPROXY_UPSTREAM_CA="$WORKSPACES_CA" CMUXPROXY_LISTEN=127.0.0.1:0
route='--scope base --domain-suffix cmux.test --morph-id'

must 'workspace alpha scope base port 3000' "$("$@" run $route alpha -- curl -sS http://localhost:3000/)"
say 'run: localhost:3000 is the workspace, and nothing had to run before'

"$@" serve --detach >/dev/null || fail 'serve --detach'
for workspace in alpha beta; do
  eval "proxy_$workspace=\$(\"\$@\" ctx create $route $workspace --format env | sed -n 's/^export http_proxy=//p' | tr -d \"'\\\"\")"
done
must 'workspace alpha scope base port 3000' "$(curl -sS --noproxy '' --proxy "$proxy_alpha" http://localhost:3000/)"
must 'workspace beta scope base port 3000' "$(curl -sS --noproxy '' --proxy "$proxy_beta" http://localhost:3000/)"
say 'one URL, two workspaces'
must 'workspace alpha scope base port 3000' \
  "$(curl -sS --noproxy '' --cacert "$("$@" ca path)" --proxy "$proxy_alpha" https://localhost:3000/)"
say 'https://localhost, with the local CA'
