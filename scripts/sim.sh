#!/usr/bin/env bash
# sim.sh [--seeds N] [--from S] [--seed S [--trace]] [--census]: builds and runs the simulation (docs/testing.md); without arguments
# as the tests do, 2,000 seeds. CMUX_PRESET=asan runs it under the sanitizers.
set -euo pipefail
cd "$(dirname "$0")/.."

preset=${CMUX_PRESET:-release}
scripts/build.sh "$preset" cmux-sim >&2
exec "build/$preset/cmux-sim" "$@"
