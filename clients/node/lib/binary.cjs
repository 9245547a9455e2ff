// Finds the cmuxproxy program.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const NAME = 'cmuxproxy';

function isProgram(file) {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

// Electron reads files inside app.asar as if it were a folder, but the system cannot run one from there: packagers put programs
// into app.asar.unpacked beside it.
function outsideAsar(file) {
  return file.replace(/\.asar([\\/])/g, '.asar.unpacked$1');
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
    first([outsideAsar(path.join(root, 'bin', NAME))]) ??
    first(folders.map((folder) => path.join(folder, NAME))) ??
    first([path.resolve(root, '../../build/release', NAME)]);  // a checkout of the project
  if (found) return found;
  throw notFound(
    `the program ${NAME} was not found. Neither the option binary nor CMUXPROXY_BIN names it, and there is none of these:\n` +
      tried.map((file) => `  ${file}`).join('\n'));
}

module.exports = { findBinary };
