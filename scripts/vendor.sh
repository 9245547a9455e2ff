#!/usr/bin/env bash
# vendor.sh [--check]: copies the modules that the inspector's page borrows from npm to web/inspector/vendor, with their licences. Which ones, and
# their SHA-512, stand in web/inspector/package-lock.json; npm refuses what does not match. Modules name each other by package, which a
# browser does not resolve, so those names become files: all else stays byte for byte. With --check it changes nothing, and fails where
# the folder holds anything else.
set -euo pipefail
cd "$(dirname "$0")/.."

page=web/inspector
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp $page/package.json $page/package-lock.json "$work"
(cd "$work" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null)
modules=$work/node_modules
made=$work/vendor
mkdir "$made"

take() {  # FILE NAME
  sed -e 's|from"preact/hooks"|from"./hooks.js"|g; s|from"preact"|from"./preact.js"|g; s|from"@preact/signals-core"|from"./signals-core.js"|g' \
    -e '/^\/\/# sourceMappingURL=/d' "$modules/$1" >"$made/$2"
  if grep -oE '(from|import) ?"[^."][^"]*"' "$made/$2"; then
    echo "vendor: $1 names a package that this script does not know" >&2
    exit 1
  fi
}
take preact/dist/preact.mjs preact.js
take preact/hooks/dist/hooks.mjs hooks.js
take @preact/signals-core/dist/signals-core.mjs signals-core.js
take @preact/signals/dist/signals.mjs signals.js
take htm/dist/htm.mjs htm.js

for package in preact @preact/signals @preact/signals-core htm; do
  version=$(node -p "require('$modules/$package/package.json').version")
  printf '%s %s\n%s\n\n' "$package" "$version" "$(printf '=%.0s' {1..40})"
  cat "$modules/$package"/LICENSE*
  echo
done | sed 's/[[:space:]]*$//' >"$made/LICENSES.txt"

if [[ ${1-} == --check ]]; then
  diff -r "$made" $page/vendor && exit
  echo "vendor: $page/vendor is not what $page/package-lock.json says; scripts/vendor.sh makes it so" >&2
  exit 1
fi
rm -rf $page/vendor
cp -r "$made" $page/vendor
