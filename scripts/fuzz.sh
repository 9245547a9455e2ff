#!/usr/bin/env bash
# fuzz.sh [SECONDS [TARGET...]]: builds the fuzz targets with clang and runs each for that long (30), one a core at a time, from the
# corpus. What is found is written to build/fuzz/found: put it into tests/fuzz/corpus/TARGET once it is mended.
# With --grow, inputs that reach new code are added to the corpus, merged to few.
set -euo pipefail
cd "$(dirname "$0")/.."

grow=0
if [[ ${1-} == --grow ]]; then grow=1; shift; fi
if [[ ${1-} == -h || ${1-} == --help ]]; then sed -n '2,4s/^# //p' "$0"; exit; fi
seconds=${1:-30}
if ! [[ $seconds =~ ^[1-9][0-9]*$ ]]; then echo "fuzz.sh: $seconds is no number of seconds" >&2; exit 2; fi
names=("${@:2}")
if ((${#names[@]} == 0)); then
  for file in tests/fuzz/targets/*.cpp; do names+=("$(basename "$file" .cpp)"); done
fi

scripts/build.sh fuzz
mkdir -p build/fuzz/found
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}

fuzz_one() {
  local name=$1 made=build/fuzz/made/$1 corpus=tests/fuzz/corpus/$1 log=build/fuzz/$1.log
  mkdir -p "$made" "$corpus"
  if ! build/fuzz/fuzz-"$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=4096 -print_final_stats=1 \
    -artifact_prefix=build/fuzz/found/"$name"- "$made" "$corpus" >"$log" 2>&1; then
    tail -n 60 "$log" >&2
    echo "fuzz: $name failed; run it again: build/fuzz/fuzz-$name build/fuzz/found/$name-…" >&2
    return 1
  fi
  if ((grow)); then build/fuzz/fuzz-"$name" -merge=1 "$corpus" "$made" >>"$log" 2>&1; fi
  echo "fuzz: $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") runs, nothing found"
}

failed=0
running=0
for name in "${names[@]}"; do
  fuzz_one "$name" &
  if ((++running == $(nproc))); then wait -n || failed=1; ((running--)) || true; fi
done
while ((running-- > 0)); do wait -n || failed=1; done
exit $failed
