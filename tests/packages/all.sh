#!/usr/bin/env bash
# all.sh FOLDER VERSION: tries the packages in FOLDER (scripts/package.sh) where they are to run. Needs root and debootstrap. Bare systems and
# Node's versions are kept in build/package-tests for the next time.
set -euo pipefail
cd "$(dirname "$0")/../.."
packages=$(realpath "$1")
version=$2
kept=$PWD/build/package-tests
work=$(mktemp -d "${TMPDIR:-/tmp}/cmuxproxy-packages.XXXXXX")
source tests/packages/lib.sh
trap clean_up EXIT

scripts/build.sh release fake-workspace
fixtures/certs.sh "$work/certs" >/dev/null
start_workspaces

tests=("${@:3}")
((${#tests[@]} > 0)) || tests=(binary deb tarball npm prefix)
for test in "${tests[@]}"; do
  step "$test"
  case $test in
    deb | tarball) in_own_namespace "$test" ;;
    *) "test_$test" ;;
  esac
done
step 'all packages passed'
