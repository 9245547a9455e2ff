# Part of all.sh.

step() { printf '\n%s\n' "$*"; }
say() { printf '  ✓ %s\n' "$*"; }
fail() { printf '  ✗ %s\n' "$*" >&2; exit 1; }

pids=()
clean_up() {
  local status=$?
  local pid
  for pid in ${pids[@]+"${pids[@]}"}; do kill "$pid" 2>/dev/null || true; done
  rm -rf --one-file-system "$work"
  exit $status
}

# Both workspaces are one program: it answers by the name that it is asked for.
start_workspaces() {
  build/release/fixtures/fake-workspace --https 0 --cert "$work/certs/srv.crt" --key "$work/certs/srv.key" \
    >"$work/workspaces" 2>/dev/null </dev/null &
  pids+=($!)
  local tries
  for tries in {1..200}; do [[ -s $work/workspaces ]] && break; sleep 0.1; done
  WORKSPACES=127.0.0.1:$(sed -n 's/.*"https": *\([0-9]*\).*/\1/p' "$work/workspaces")
  WORKSPACES_CA=$work/certs/ca.crt
  export WORKSPACES WORKSPACES_CA
}

# --- a bare Debian 12, changed in a copy that is thrown away ---

# Runs a test where it may mount and start what it likes: in namespaces that end with it, so that what is mounted below $work is never there
# for those who clean up outside.
in_own_namespace() {
  [[ $EUID == 0 ]] || fail 'a bare system takes root (chroot)'
  need_bare_system
  work=$work kept=$kept packages=$packages version=$version \
    unshare --mount --pid --fork --kill-child --propagation private bash -euo pipefail -c "source tests/packages/lib.sh; test_$1"
}

bare=$kept/debian12
need_bare_system() {
  [[ ! -e $bare/etc/debian_version ]] || return 0
  command -v debootstrap >/dev/null || fail 'debootstrap is missing: apt-get install debootstrap'
  mkdir -p "$kept"
  rm -rf --one-file-system "$bare.new"
  # curl is what the tour asks with.
  debootstrap --variant=minbase --include=ca-certificates,curl bookworm "$bare.new" http://deb.debian.org/debian >"$work/debootstrap.log" 2>&1 ||
    { tail -5 "$work/debootstrap.log" >&2; fail 'debootstrap'; }
  mv "$bare.new" "$bare"
}

# new_system NAME: $system is its root folder, $changes what differs from the bare system.
new_system() {
  system=$work/$1 changes=$work/$1.layer/changes
  mkdir -p "$system" "$changes" "$work/$1.layer/scratch"
  mount -t overlay overlay -o "lowerdir=$bare,upperdir=$changes,workdir=$work/$1.layer/scratch" "$system"
  mount -t proc proc "$system/proc"
  # Devices of its own, and none of this machine's.
  mount -t tmpfs -o mode=755 devices "$system/dev"
  local name
  for name in null:3 zero:5 full:7 random:8 urandom:9; do mknod -m 666 "$system/dev/${name%:*}" c 1 "${name#*:}"; done
  ln -s /proc/self/fd "$system/dev/fd"
  mkdir "$system/test"
  cp tests/packages/tour.sh "$WORKSPACES_CA" "$system/test"
  cp /etc/resolv.conf "$system/etc/resolv.conf"
}
in_system() {
  chroot "$system" env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive \
    LC_ALL=C.UTF-8 WORKSPACES="$WORKSPACES" WORKSPACES_CA=/test/ca.crt "$@"
}
# What is there that has the name of cmuxproxy, but for the state folder and the package manager's own notes.
left_over() {
  (cd "$changes" && find . -name '*cmuxproxy*' -type f,l ! -path './test/*' ! -path './root/.local/state/cmuxproxy/*' ! -path './var/log/*' \
    ! -path './var/cache/*' ! -path './var/lib/apt/*')
}
must_be_gone() {
  local left
  left=$(left_over)
  [[ -z $left ]] || fail "left over: $left"
  [[ -e $system/root/.local/state/cmuxproxy/ca.crt ]] || fail 'the state folder is gone'
  say 'removed: nothing is left but the state folder'
}
# answers NAME: the instance that the tour has left running still does.
must_answer() {
  local proxy
  proxy=$(in_system "$@" ctx create --morph-id alpha --scope base --domain-suffix cmux.test --dedicated-port --json | sed -n 's/.*"proxyUrl":"\([^"]*\)".*/\1/p')
  [[ $(curl -sS --noproxy '' --proxy "$proxy" http://localhost:3000/) == 'workspace alpha scope base port 3000' ]] || fail 'no answer after the upgrade'
  say 'upgraded under a running instance, which answers'
}

# --- the packages ---

# What a program for all systems may need of this one's.
test_binary() {
  local folder=$work/binary needed newest
  mkdir "$folder"
  tar -xzf "$packages"/cmuxproxy-*-linux-*.tar.gz -C "$folder" --strip-components=1
  needed=$(objdump -p "$folder/bin/cmuxproxy" | sed -n 's/ *NEEDED *//p' | grep -vE '^(libc|libm|ld-linux[^ ]*)\.so\.[0-9]+$' || true)
  [[ -z $needed ]] || fail "it needs $needed"
  say "it needs libc's parts alone: $(ldd "$folder/bin/cmuxproxy" | sed -n 's/^\t\(lib[^ ]*\) .*/\1/p' | xargs)"
  newest=$(objdump -T "$folder/bin/cmuxproxy" | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -1)
  [[ $(printf '%s\n' GLIBC_2.34 "$newest" | sort -V | tail -1) == GLIBC_2.34 ]] || fail "it needs $newest"
  say "and of that nothing newer than $newest; $(stat -c %s "$folder/bin/cmuxproxy") bytes"
  [[ $("$folder/bin/cmuxproxy" version) == "cmuxproxy $version" ]] || fail 'its version'
}

test_deb() {
  local deb newer
  deb=$(echo "$packages"/*.deb)
  new_system deb
  cp "$deb" "$system/test/cmuxproxy.deb"
  in_system apt-get -qq update
  in_system apt-get -qq install -y --no-install-recommends /test/cmuxproxy.deb >"$work/apt.log" 2>&1 || { cat "$work/apt.log" >&2; fail 'apt-get install'; }
  [[ $(in_system cmuxproxy version) == "cmuxproxy $version" ]] || fail 'its version'
  local file
  for file in share/man/man1/cmuxproxy-run.1.gz share/bash-completion/completions/cmuxproxy share/zsh/vendor-completions/_cmuxproxy \
    share/fish/vendor_completions.d/cmuxproxy.fish share/doc/cmuxproxy/copyright; do
    [[ -s $system/usr/$file ]] || fail "no $file"
  done
  [[ -s $system/usr/lib/systemd/user/cmuxproxy.socket ]] || fail 'no unit'
  say "installed with $(dpkg-deb -f "$deb" Depends)"
  in_system sh /test/tour.sh cmuxproxy
  # The next version.
  dpkg-deb -R "$deb" "$work/newer"
  sed -i "s/^Version: .*/Version: $version.1/" "$work/newer/DEBIAN/control"
  dpkg-deb -b "$work/newer" "$system/test/newer.deb" >/dev/null
  in_system apt-get -qq install -y --no-install-recommends /test/newer.deb >"$work/apt.log" 2>&1 || { cat "$work/apt.log" >&2; fail 'upgrade'; }
  must_answer cmuxproxy
  in_system cmuxproxy stop >/dev/null
  in_system apt-get -qq purge -y cmuxproxy >"$work/apt.log" 2>&1
  grep -q '.local/state/cmuxproxy' "$work/apt.log" || fail 'it does not say where the state folder is'
  must_be_gone
}

test_tarball() {
  local tarball
  tarball=$(echo "$packages"/cmuxproxy-*-linux-*.tar.gz)
  new_system tarball
  cp "$tarball" "$system/test/cmuxproxy.tar.gz"
  local unpack='tar -xzf /test/cmuxproxy.tar.gz -C /usr/local --strip-components=1'
  in_system sh -c "$unpack"
  # As on Fedora: the roots are not where this machine's OpenSSL has them.
  in_system sh -c 'mv /usr/lib/ssl /usr/lib/elsewhere; cat /test/ca.crt >>/etc/ssl/certs/ca-certificates.crt'
  local answer
  answer=$(in_system env CMUXPROXY_RESOLVE="*.cmux.test=$WORKSPACES" \
    cmuxproxy run --scope base --domain-suffix cmux.test --morph-id alpha -- curl -sS http://localhost:3000/)
  [[ $answer == 'workspace alpha scope base port 3000' ]] || fail "the system's roots are not found: $answer"
  say "the system's roots are found, wherever OpenSSL looks"
  in_system mv /usr/lib/elsewhere /usr/lib/ssl
  in_system sh /test/tour.sh cmuxproxy
  in_system sh -c "$unpack"
  must_answer cmuxproxy
  in_system cmuxproxy stop >/dev/null
  # As docs/install.md says.
  in_system sh -c "cd /usr/local && tar -tzf /test/cmuxproxy.tar.gz | sed 's|^[^/]*/||' | grep -v '/\$' | xargs rm -f"
  must_be_gone
}

# Node of a major version, from npm.
node_of() {
  local folder=$kept/node$1
  if [[ ! -x $folder/node_modules/node/bin/node ]]; then
    mkdir -p "$folder"
    echo '{}' >"$folder/package.json"
    npm install --prefix "$folder" --no-audit --no-fund --loglevel=error "node@$1" >/dev/null
  fi
  echo "$folder/node_modules/node/bin"
}

test_npm() {
  local major node folder npm
  npm=$(dirname "$(realpath "$(command -v npm)")")/npm-cli.js
  for major in 18 20 22; do
    node=$(node_of $major)
    folder=$work/npm$major
    mkdir -p "$folder/home"
    echo '{}' >"$folder/package.json"
    (
      cd "$folder"
      export HOME=$folder/home PATH=$node:$PATH
      unset XDG_RUNTIME_DIR XDG_STATE_HOME XDG_CONFIG_HOME
      export npm_config_update_notifier=false
      # No registry: the platform's package is given beside the library, as its optional dependency would bring it.
      install() { node "$npm" install --offline --no-audit --no-fund --loglevel=error "$packages"/cmuxproxy-linux-*.tgz "$packages/cmuxproxy-$version.tgz" >/dev/null; }
      # npm asks the registry for the optional dependency all the same, unless it is there first.
      install
      [[ $(./node_modules/.bin/cmuxproxy version) == "cmuxproxy $version" ]] || fail 'its version'
      [[ $(node "${npm%npm-cli.js}npx-cli.js" --offline cmuxproxy version) == "cmuxproxy $version" ]] || fail 'npx'
      sh "$OLDPWD/tests/packages/tour.sh" ./node_modules/.bin/cmuxproxy
      WORKSPACE_PORT=${WORKSPACES##*:} node --input-type=module -e "
        import { ProxyServer } from 'cmuxproxy';
        const server = await ProxyServer.start('127.0.0.1:0', true);
        const context = server.createContext(1, { morphId: 'abc', scope: 'base', domainSuffix: 'cmux.test' });
        if (!context.username || !server.port()) throw new Error('no context');
        server.stop();"
      rm -rf node_modules
      install
      [[ -n $(./node_modules/.bin/cmuxproxy ctx list --json) ]] || fail 'no answer after the upgrade'
      ./node_modules/.bin/cmuxproxy stop >/dev/null
      node "$npm" uninstall --offline --no-audit --no-fund --loglevel=error cmuxproxy "@cmuxproxy/linux-x64" >/dev/null
      left=$(find . -path '*cmuxproxy*' -type f,l ! -path './home/.local/state*' ! -path './home/.npm*')
      [[ -z $left ]] || fail "left over: $left"
    )
    say "Node $("$node/node" --version)"
  done
}

# cmake --install, into a folder of its own.
test_prefix() {
  DESTDIR=$work/prefix cmake --install build/release >/dev/null
  [[ $("$work"/prefix/usr/local/bin/cmuxproxy version) == "cmuxproxy $version" ]] || fail 'its version'
  MANPATH=$work/prefix/usr/local/share/man man -w cmuxproxy-run >/dev/null || fail 'no man page'
  say 'cmake --install'
}
