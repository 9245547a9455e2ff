#!/usr/bin/env bash
# build.sh [PRESET [TARGET...]]: configures and builds a preset (release), all of it or some targets.
# CMUX_JOBS says how many compilers run at once; one a core, else.
set -euo pipefail
cd "$(dirname "$0")/.."

preset=${1:-release}
targets=("${@:2}")

mkdir -p build
log=build/configure-$preset.log
if ! cmake --preset "$preset" >"$log" 2>&1; then
  cat "$log" >&2
  exit 1
fi
cmake --build --preset "$preset" -j "${CMUX_JOBS:-$(nproc)}" ${targets[@]+--target "${targets[@]}"}
