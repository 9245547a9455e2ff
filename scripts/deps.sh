#!/usr/bin/env bash
# Installs what building and testing need and this machine lacks: Debian packages, and the tests' Node modules.
# Safe to run twice; says nothing where nothing is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

# Programs count wherever they come from; libraries must be Debian's packages. "program=package" where the two differ.
programs=(g++ cmake ninja=ninja-build ccache openssl curl node=nodejs npm python3 git pkg-config
          nghttp=nghttp2-client nghttpd=nghttp2-server)
libraries=(libboost1.81-dev libnghttp2-dev libssl-dev libcli11-dev libtomlplusplus-dev catch2 libcpp-httplib-dev libspdlog-dev
           libfmt-dev ca-certificates)

missing=()
for program in "${programs[@]}"; do
  command -v "${program%%=*}" >/dev/null || missing+=("${program##*=}")
done
for library in "${libraries[@]}"; do
  # Without dpkg-query, as on other systems, the libraries count as missing.
  [[ $(dpkg-query -W -f '${db:Status-Status}' "$library" 2>/dev/null) == installed ]] || missing+=("$library")
done

if ((${#missing[@]} > 0)); then
  echo "deps: installing ${missing[*]}"
  if ! command -v apt-get >/dev/null; then
    echo "deps: apt-get is not here; install these, by your system's names: ${missing[*]}" >&2
    exit 1
  fi
  as_root=()
  if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
      echo "deps: neither root nor sudo; as root: apt-get install ${missing[*]}" >&2
      exit 1
    fi
    as_root=(sudo)
  fi
  apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
  "${apt[@]}" update
  "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null
fi

# at_least NAME VERSION WANTED
at_least() {
  [[ $(printf '%s\n%s\n' "$3" "$2" | sort -V | head -n 1) == "$3" ]] && return
  echo "deps: $1 is $2, but $3 is needed" >&2
  exit 1
}
at_least cmake "$(cmake --version | sed -n '1s/[^0-9]*//p')" 3.22
at_least g++ "$(g++ -dumpfullversion)" 12
at_least node "$(node --version | tr -d v)" 18

# The copy of the lock file tells which one the modules were installed from.
modules=tests/e2e/node
if ! cmp -s "$modules/package-lock.json" "$modules/node_modules/.installed-from"; then
  echo "deps: installing the tests' Node modules"
  (cd "$modules" && npm ci --no-audit --no-fund --silent)
  cp "$modules/package-lock.json" "$modules/node_modules/.installed-from"
fi
