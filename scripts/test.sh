#!/usr/bin/env bash
# Builds the project and runs its tests: style, a release, the address and undefined-behaviour sanitizers, and the thread sanitizer.
# With --quick, or CMUX_QUICK=1 in the environment, style and the release alone; --sanitizers overrides that. --frameworks runs the
# dev servers of all frameworks behind a release, those among them that are in no other run, and nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."

usage="usage: scripts/test.sh [--quick|--sanitizers|--frameworks]"
quick=${CMUX_QUICK:-0}
frameworks=0
for argument in "$@"; do
  case $argument in
    --quick) quick=1 ;;
    --sanitizers) quick=0 ;;
    --frameworks) quick=1 frameworks=1 ;;
    -h | --help) echo "$usage"; exit 0 ;;
    *) echo "$usage" >&2; exit 2 ;;
  esac
done
presets=(release)
[[ $quick == 1 ]] || presets+=(asan tsan)

export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1:second_deadlock_stack=1}

if [[ $frameworks == 1 ]]; then
  scripts/deps.sh --frameworks
  scripts/build.sh release cmuxproxy
  CMUX_BROWSER_BUILD=$PWD/build/release CMUX_FRAMEWORKS=all exec node --test --test-reporter=spec tests/frameworks/table.test.mjs
fi
scripts/deps.sh --tests
echo "== lint"
scripts/lint.sh
for preset in "${presets[@]}"; do
  start=$SECONDS
  echo "== $preset: build"
  scripts/build.sh "$preset"
  echo "== $preset: test"
  # End-to-end tests wait more than they compute.
  run=(ctest --test-dir "build/$preset" --output-on-failure --no-tests=error --parallel $(($(nproc) + 1)))
  if [[ $preset == tsan ]]; then
    # One worker has nothing to race with.
    run=(env CMUX_E2E_THREADS=2 "${run[@]}")
    # GCC 12's thread sanitizer cannot live with as much address randomisation as new kernels do.
    if setarch "$(uname -m)" -R true 2>/dev/null; then run=(setarch "$(uname -m)" -R "${run[@]}"); fi
  fi
  "${run[@]}"
  echo "== $preset: passed in $((SECONDS - start)) s"
done
