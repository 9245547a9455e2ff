#!/usr/bin/env bash
# lint.sh [--all|FILE...]: style.py and clang-format (14) on all files, and clang-tidy (14), which is slow, on those that were changed
# since the last commit and by it; with --all on all, or on these files alone. Changes nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in clang-format clang-tidy python3; do
  command -v "$tool" >/dev/null || { echo "lint: $tool is missing; scripts/deps.sh --tests installs it" >&2; exit 1; }
done
mapfile -t all < <(git ls-files --cached --others --exclude-standard '*.cpp' '*.hpp')
files=("${all[@]}")
if [[ ${1-} == --all ]]; then
  tidy=("${all[@]}")
elif (($# > 0)); then
  files=("$@")
  tidy=("$@")
else
  # A clone of one commit has no other to compare with.
  base=$(git rev-parse --quiet --verify HEAD~1 || git rev-parse HEAD)
  mapfile -t tidy < <(git diff --name-only --diff-filter=d "$base" -- '*.cpp'; git ls-files --others --exclude-standard '*.cpp')
fi

status=0
python3 scripts/style.py || status=1
clang-format --dry-run -Werror "${files[@]}" || status=1
# Headers are checked through the files that include them. All layers share one include root here: which layer may see which is the
# build's business.
printf '%s\n' "${tidy[@]+"${tidy[@]}"}" | { grep '\.cpp$' || true; } |
  xargs -r -P "${CMUX_JOBS:-$(nproc)}" -I{} clang-tidy --quiet {} -- -std=c++20 -Isrc -Ifixtures -Itests/unit -Itests/fuzz \
    -Itools/cmuxproxy-cli '-DCMUXPROXY_VERSION="lint"' -DCPPHTTPLIB_OPENSSL_SUPPORT 2> >(grep -v 'warnings generated' >&2 || true) || status=1
exit $status
