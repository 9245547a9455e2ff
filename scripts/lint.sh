#!/usr/bin/env bash
# lint.sh [FILE...]: clang-format and clang-tidy (14) on these files, or on all C++ files. Changes nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in clang-format clang-tidy; do
  command -v "$tool" >/dev/null || { echo "lint: $tool is missing; apt-get install $tool" >&2; exit 1; }
done
files=("$@")
((${#files[@]} > 0)) || mapfile -t files < <(git ls-files --cached --others --exclude-standard '*.cpp' '*.hpp')

status=0
clang-format --dry-run -Werror "${files[@]}" || status=1
# Headers are checked through the files that include them. All layers share one include root here: which layer may see which is the
# build's business.
printf '%s\n' "${files[@]}" | grep '\.cpp$' |
  xargs -r -P "${CMUX_JOBS:-$(nproc)}" -I{} clang-tidy --quiet {} -- -std=c++20 -Isrc -Ifixtures -Itests/unit -Itools/cmuxproxy-cli \
    '-DCMUXPROXY_VERSION="lint"' -DCPPHTTPLIB_OPENSSL_SUPPORT 2> >(grep -v 'warnings generated' >&2 || true) || status=1
exit $status
