// Finds the cmuxproxy program.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const NAME = 'cmuxproxy';
// The package's optional dependencies, one a platform, hold the program; npm installs the one that fits.
const PLATFORM_PACKAGE = `@cmuxproxy/${process.platform}-${process.arch}`;

// npm's links in .bin lead to this package's own script (bin/cmuxproxy.cjs), or another's: not the program, which that would look for.
function isProgram(file) {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile() && !fs.realpathSync(file).endsWith('.cjs');
  } catch {
    return false;
  }
}

// Electron reads files inside app.asar as if it were a folder, but the system cannot run one from there: packagers put programs
// into app.asar.unpacked beside it.
function outsideAsar(file) {
  return file.replace(/\.asar([\\/])/g, '.asar.unpacked$1');
}

// Where the program of the platform's package is, or would be.
function inPlatformPackage() {
  try {
    return path.join(path.dirname(require.resolve(`${PLATFORM_PACKAGE}/package.json`)), 'bin', NAME);
  } catch {
    return path.join('node_modules', PLATFORM_PACKAGE, 'bin', NAME);
  }
}

function notFound(message) {
  return Object.assign(new Error(message), { code: 'ENOENT' });
}

// `binary` and $CMUXPROXY_BIN say which one is wanted: nothing else will do in its place. A program that was put into the package
// goes before one that happens to be installed, since it is of the version that the package was made for.
function findBinary(binary, env) {
  for (const [source, file] of [['the option binary', binary], ['CMUXPROXY_BIN', env.CMUXPROXY_BIN]]) {
    if (!file) continue;
    const wanted = path.resolve(file);
    if (isProgram(wanted)) return wanted;
    throw notFound(`${source} names ${wanted}, which is not a program that can be run`);
  }
  const root = path.dirname(__dirname);
  const tried = [];
  const first = (files) => {
    for (const file of files) {
      if (isProgram(file)) return file;
      tried.push(file);
    }
    return undefined;
  };
  const folders = (env.PATH ?? '').split(path.delimiter).filter((folder) => folder !== '');
  const found =
    first([path.join(root, 'bin', NAME), inPlatformPackage()].map(outsideAsar)) ??
    first(folders.map((folder) => path.join(folder, NAME))) ??
    first([path.resolve(root, '../../build/release', NAME)]);  // a checkout of the project
  if (found) return found;
  throw notFound(
    `the program ${NAME} was not found. Neither the option binary nor CMUXPROXY_BIN names it, and there is none of these:\n` +
      tried.map((file) => `  ${file}`).join('\n') +
      `\nnpm installs ${PLATFORM_PACKAGE} with it, where there is one for this platform and optional packages are not left out (--omit=optional).`);
}

module.exports = { findBinary };
