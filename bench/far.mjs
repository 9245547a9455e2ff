// far.mjs: what a Vite app feels like over a line; started by `scripts/demo_gateway.sh --rtt 60 --loss 1 --bench` in the laptop's
// network namespace, with the other end of the way standing. Vite runs in the machine's, and so does an sshd; the same page is loaded
// through cmuxproxy and through `ssh -L`, in turns: until the page shows its text, from an edit until the page shows it, and 20 MB.
// Medians, and the least and the most. Needs root (sshd, the namespaces).
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { launch, openPage } from '../tests/browser/lib/browser.mjs';
import { onExit, startProgram, temporaryFolder } from '../tests/browser/lib/process.mjs';
import { makeProject, program, said, shows } from '../tests/browser/lib/vite_project.mjs';

const { CMUX_FAR_MACHINE: machine, CMUX_FAR_PROXY: proxy, CMUX_FAR_FILE: large } = process.env;
const there = ['nsenter', `--net=/proc/${machine}/ns/net`, '--'];
const kLoads = 9,
  kEdits = 15,
  kFetches = 3,
  kBytes = 20_000_000;

function child(command, argv) {
  const process = spawn(command, argv, { stdio: 'ignore' });
  onExit(() => process.kill());
  return process;
}
async function answers(port, host = '127.0.0.1') {
  for (let tries = 0; tries < 300; ++tries) {
    const open = await new Promise((done) => {
      const socket = net.connect(port, host, () => done(true)).on('error', () => done(false));
      socket.once('connect', () => socket.destroy());
    });
    if (open) return;
    await pause(50);
  }
  throw new Error(`nothing answers on port ${port}`);
}

/** An sshd in the machine, and a forwarded port to each of these of it. */
async function forwardBySsh(ports) {
  const dir = temporaryFolder();
  const at = (name) => join(dir, name);
  for (const name of ['host', 'user']) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at(name)]);
  mkdirSync('/run/sshd', { recursive: true });
  writeFileSync(at('config'), `Port 2222\nListenAddress 10.84.2.2\nHostKey ${at('host')}\nAuthorizedKeysFile ${at('user')}.pub
StrictModes no\nUsePAM no\nPidFile none\n`);
  child(there[0], [...there.slice(1), '/usr/sbin/sshd', '-D', '-f', at('config')]);
  await answers(2222, '10.84.2.2');
  const forwards = ports.flatMap((port) => ['-L', `${port}:127.0.0.1:${port}`]);
  child('ssh', ['-N', '-F', 'none', '-p', '2222', '-i', at('user'), '-o', 'StrictHostKeyChecking=no', '-o', `UserKnownHostsFile=${at('known')}`,
    ...forwards, 'root@10.84.2.2']);
  for (const port of ports) await answers(port);
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const told = (values, digits = 0) => `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)} to ${Math.max(...values).toFixed(digits)})`;

writeFileSync(large, Buffer.alloc(kBytes));
const { root, write } = makeProject();
const vite = await startProgram(there[0], [...there.slice(1), process.execPath, program, root]);
const port = vite.ready.port;
await forwardBySsh([port, 3000]);
const browser = await launch();
const { username, password, host } = new URL(proxy);
const ways = {
  cmuxproxy: {
    options: { proxy: { server: `http://${host}`, bypass: '<-loopback>', username, password } },
    curl: ['--noproxy', '', '--proxy', proxy],
  },
  'ssh -L': { options: {}, curl: ['--noproxy', '*'] },
};

async function load(way) {
  const look = await browser.newContext(way.options);
  const page = await openPage(look);
  const begin = performance.now();
  await page.goto(`http://localhost:${port}/`);
  await page.waitForFunction(() => document.querySelector('#text')?.textContent);
  const took = performance.now() - begin;
  return { look, page, took };
}
let edits = 0;
for (const way of Object.values(ways)) (way.loads = []), (way.edits = []), (way.rates = []);
for (let round = 0; round <= kLoads; ++round)
  for (const way of Object.values(ways)) {
    const { look, took } = await load(way);
    if (round > 0) way.loads.push(took);  // the first has Vite prepare what it serves
    await look.close();
  }
const pages = {};
for (const [name, way] of Object.entries(ways)) {
  pages[name] = (await load(way)).page;
  await said(pages[name], '[vite] connected.');
}
for (let round = 0; round < kEdits; ++round) {
  const text = `edit ${++edits}`;
  const begin = performance.now();
  write('text.js', `export const text = "${text}";`);
  await Promise.all(Object.entries(ways).map(([name, way]) => shows(pages[name], text).then(() => way.edits.push(performance.now() - begin))));
}
for (let round = 0; round < kFetches; ++round)
  for (const way of Object.values(ways)) {
    const seconds = execFileSync('curl', [...way.curl, '--silent', '--show-error', '--output', '/dev/null', '--write-out', '%{time_total}',
      'http://localhost:3000/large'], { encoding: 'utf8' });
    way.rates.push((kBytes * 8) / 1e6 / Number(seconds));
  }
for (const [name, way] of Object.entries(ways))
  console.log(`  ${name.padEnd(9)}  load ${told(way.loads)} ms, edit ${told(way.edits)} ms, 20 MB ${told(way.rates, 1)} Mbit/s`);
await browser.close();
process.exit(0);
