# shellcheck shell=bash disable=SC2034
# What the demos share; sourced by them: steps that are told of, programs that end with the demo, and their logs where it fails.
# $work is the demo's folder, once it has one.

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

# must_say WANTED GOT
must_say() { if [[ $2 != "$1" ]]; then fail "expected '$1', got '$2'"; fi; }
