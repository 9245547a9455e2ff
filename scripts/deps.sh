#!/usr/bin/env bash
# deps.sh [--tests|--frameworks]: installs what building and the demo need and this machine lacks, from Debian's packages and npm; with
# --tests, what the tests need too, which is a browser among other things; with --frameworks, those too whose dev servers only
# `scripts/test.sh --frameworks` starts. Safe to run twice; says nothing where nothing is missing.
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
  --tests | --frameworks)
    programs+=(nghttp=nghttp2-client nghttpd=nghttp2-server chromium certutil=libnss3-tools redis-cli=redis-tools
               redis-server psql=postgresql-client ssh=openssh-client nc=netcat-openbsd java=default-jdk-headless
               ip=iproute2 go=golang-go promtool=prometheus clang++=clang clang-format clang-tidy zsh fish man=man-db)
    libraries_of_tests=(libclang-rt-14-dev)  # libFuzzer, and clang's sanitizers
    # Their programs are in no ordinary user's PATH, or their modules not for every Python.
    servers=(openssh-server postgresql python3-django python3-tornado)
    module_folders+=(tests/browser)
    python_modules+=(requests jsonschema yaml)
    ;;
  *) echo "usage: scripts/deps.sh [--tests|--frameworks]" >&2; exit 2 ;;
esac
libraries=(libboost1.81-dev libnghttp2-dev libssl-dev zlib1g-dev libbrotli-dev libhiredis-dev libcli11-dev libtomlplusplus-dev
           catch2 libcpp-httplib-dev libspdlog-dev libfmt-dev ca-certificates)

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

# npm_ci FOLDER MARK [OPTION...]: the copy of the lock file, by that name, tells which one the modules were installed from.
npm_ci() {
  cmp -s "$1/package-lock.json" "$1/node_modules/$2" && return
  echo "deps: installing the Node modules of $1"
  (cd "$1" && npm ci --no-audit --no-fund --loglevel=error "${@:3}" >/dev/null)
  cp "$1/package-lock.json" "$1/node_modules/$2"
}
export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1  # the browser is Debian's
for modules in "${module_folders[@]}"; do npm_ci "$modules" .installed-from; done
frameworks=tests/frameworks
case ${1:-} in
  --tests) npm_ci $frameworks .installed-from --omit=dev ;;
  --frameworks)
    npm_ci $frameworks .installed-all
    cp $frameworks/package-lock.json $frameworks/node_modules/.installed-from
    ;;
esac
