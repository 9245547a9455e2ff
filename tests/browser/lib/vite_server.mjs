// vite_server.mjs FOLDER [ALLOWED-HOST]: a Vite dev server for that folder; says its port as JSON, ends with its standard input.
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createServer } from 'vite';

const [root, allowed] = process.argv.slice(2);
const server = await createServer({
  root,
  configFile: false,
  cacheDir: join(root, '.vite'),
  logLevel: 'warn',
  server: { host: '127.0.0.1', port: 0, ...(allowed ? { allowedHosts: [allowed] } : {}) },
});
await server.listen();
// Edits count from when the files are watched.
while (!server.watcher.getWatched()[root]?.includes('text.js')) await pause(10);
console.log(JSON.stringify({ event: 'ready', port: server.httpServer.address().port }));
process.stdin.resume().on('end', () => process.exit(0));
process.on('SIGTERM', () => process.exit(0));
