#!/usr/bin/env bash
# package.sh [--no-tests]: makes all packages into build/packages, of the version that CMakeLists.txt says, and tries each where it is to run
# (tests/packages): a bare Debian 12 in a folder, and Node 18, 20 and 22. Trying the first needs root and debootstrap.
#   cmuxproxy_VERSION_ARCH.deb                  for Debian 12
#   cmuxproxy-VERSION-linux-MACHINE.tar.gz      for any Linux with glibc 2.34 or newer
#   cmuxproxy-VERSION.tgz, cmuxproxy-linux-CPU-VERSION.tgz    for npm
#   cmuxproxy-VERSION-source.tar.gz, cmuxproxy.rb             for Homebrew; CMUX_RELEASE_URL is where the source will be
set -euo pipefail
cd "$(dirname "$0")/.."

tests=1
case ${1:-} in
  "") ;;
  --no-tests) tests=0 ;;
  *) echo "usage: scripts/package.sh [--no-tests]" >&2; exit 2 ;;
esac
version=$(sed -n 's/^project(cmuxproxy VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
machine=$(uname -m)
case $machine in
  x86_64) cpu=x64 ;;
  aarch64) cpu=arm64 ;;
  *) cpu=$machine ;;
esac
out=$PWD/build/packages
work=$out/work
rm -rf "$out"
mkdir -p "$work"

scripts/deps.sh
scripts/build.sh static
scripts/build.sh release cmuxproxy package-files

made() { printf '%9s  %s\n' "$(stat -c %s "$1")" "${1#"$out"/}"; }

(cd "$work" && cpack --config "$OLDPWD/build/release/CPackConfig.cmake" -B "$work/deb" >"$work/cpack.log") || { cat "$work/cpack.log" >&2; exit 1; }
mv "$work"/deb/*.deb "$out"
made "$out"/*.deb

tree=cmuxproxy-$version-linux-$machine
cmake --install build/static --strip --prefix "$work/$tree" >/dev/null
# The same bytes from the same sources.
pack() { tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}" -C "$work" -c "$2" | gzip -9n >"$1"; }
pack "$out/$tree.tar.gz" "$tree"
made "$out/$tree.tar.gz"

# npm: the library, and the program in a package of its own for each platform, of which npm installs the one that fits.
platform=@cmuxproxy/linux-$cpu
mkdir -p "$work/npm" "$work/npm-platform/bin"
cp -r clients/node/{bin,lib,index.mjs,index.d.ts,README.md,package.json} "$work/npm"
rm -f "$work/npm/bin/cmuxproxy"
cp LICENSE "$work/npm"
cp LICENSE "$work/npm-platform"
cp "$work/$tree/bin/cmuxproxy" "$work/npm-platform/bin/cmuxproxy"
node - "$work" "$version" "$platform" "$cpu" <<'END'
const fs = require('node:fs');
const [work, version, platform, cpu] = process.argv.slice(2);
const write = (folder, content) => fs.writeFileSync(`${work}/${folder}/package.json`, JSON.stringify(content, null, 2) + '\n');
const library = JSON.parse(fs.readFileSync(`${work}/npm/package.json`, 'utf8'));
delete library.scripts;
write('npm', { ...library, version, optionalDependencies: { [platform]: version } });
write('npm-platform', {
  name: platform, version, description: `the program of the package cmuxproxy, for Linux on ${cpu} with glibc 2.34 or newer`,
  license: library.license, os: ['linux'], cpu: [cpu], libc: ['glibc'], preferUnplugged: true, files: ['bin'],
});
END
for folder in npm npm-platform; do
  made "$out/$(cd "$work/$folder" && npm pack --silent --pack-destination "$out")"
done

source=cmuxproxy-$version-source
git archive --prefix="$source/" HEAD | gzip -9n >"$out/$source.tar.gz"
sed -e "s|@URL@|${CMUX_RELEASE_URL:-https://example.invalid}/$source.tar.gz|" -e "s|@VERSION@|$version|" \
  -e "s|@SHA256@|$(sha256sum "$out/$source.tar.gz" | cut -d ' ' -f 1)|" packaging/homebrew/cmuxproxy.rb >"$out/cmuxproxy.rb"
rm -rf "$work"

((tests == 0)) || tests/packages/all.sh "$out" "$version"
