#!/usr/bin/env node
// npx cmuxproxy: finds the program and is out of the way. Its exit status is the program's.
'use strict';

const { spawn } = require('node:child_process');
const { findBinary } = require('../lib/binary.cjs');

function fail(message) {
  console.error(`cmuxproxy: ${message}`);
  process.exit(1);
}

let binary;
try {
  binary = findBinary(undefined, process.env);
} catch (error) {
  fail(error.message);
}
const child = spawn(binary, process.argv.slice(2), { stdio: 'inherit' });
child.on('error', (error) => fail(`${binary} cannot be run: ${error.message}`));
// A terminal sends its Ctrl-C to both, and a second SIGINT means "at once".
process.on('SIGINT', () => { if (!process.stdin.isTTY) child.kill('SIGINT'); });
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => {
  if (signal === null) process.exit(code);
  for (const each of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(each);
  process.kill(process.pid, signal);
});
