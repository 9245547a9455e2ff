#!/usr/bin/env bash
# deps.sh [--tests]: installs what building and the demo need and this machine lacks, from Debian's packages and npm; with --tests, what
# the tests need too, which is a browser among other things. Safe to run twice; says nothing where nothing is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

# Programs count wherever they come from; libraries must be Debian's packages. "program=package" where the two differ.
programs=(g++ cmake ninja=ninja-build ccache openssl curl node=nodejs npm python3 git pkg-config)
module_folders=(tests/e2e/node)
servers=()
libraries_of_tests=()
python_modules=()
case ${1:-} in
  "") ;;
  --tests)
    programs+=(nghttp=nghttp2-client nghttpd=nghttp2-server chromium certutil=libnss3-tools redis-cli=redis-tools
               redis-server psql=postgresql-client ssh=openssh-client nc=netcat-openbsd java=default-jdk-headless
               ip=iproute2 clang++=clang clang-format clang-tidy)
    libraries_of_tests=(libclang-rt-14-dev)  # libFuzzer, and clang's sanitizers
    servers=(openssh-server postgresql)  # their programs are in no ordinary user's PATH
    module_folders+=(tests/browser)
    python_modules+=(requests)
    ;;
  *) echo "usage: scripts/deps.sh [--tests]" >&2; exit 2 ;;
esac
libraries=(libboost1.81-dev libnghttp2-dev libssl-dev libcli11-dev libtomlplusplus-dev catch2 libcpp-httplib-dev libspdlog-dev
           libfmt-dev ca-certificates)

missing=()
for program in "${programs[@]}"; do
  command -v "${program%%=*}" >/dev/null || missing+=("${program##*=}")
done
for library in "${libraries[@]}" ${servers[@]+"${servers[@]}"} ${libraries_of_tests[@]+"${libraries_of_tests[@]}"}; do
  # Without dpkg-query, as on other systems, the libraries count as missing.
  [[ $(dpkg-query -W -f '${db:Status-Status}' "$library" 2>/dev/null) == installed ]] || missing+=("$library")
done
for module in "${python_modules[@]}"; do
  python3 -c "import $module" 2>/dev/null || missing+=("python3-$module")
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
  # The tests start servers of their own. What Debian's packages would start, invoke-rc.d(8) leaves alone at this run level.
  apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq -o DPkg::Lock::Timeout=300)
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

# The copy of the lock file tells which one the modules were installed from. The browser is Debian's.
export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1
for modules in "${module_folders[@]}"; do
  cmp -s "$modules/package-lock.json" "$modules/node_modules/.installed-from" && continue
  echo "deps: installing the Node modules of $modules"
  (cd "$modules" && npm ci --no-audit --no-fund --loglevel=error >/dev/null)
  cp "$modules/package-lock.json" "$modules/node_modules/.installed-from"
done
