// A small Vite project and its dev server, as what runs in a workspace.
import http from 'node:http';
import net from 'node:net';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startProgram, temporaryFolder } from './process.mjs';

export const program = fileURLToPath(new URL('vite_server.mjs', import.meta.url));

/** The files of a project; answers its folder, and how to write one. */
export function makeProject() {
  const root = temporaryFolder();
  const write = (name, text) => writeFileSync(join(root, name), text);
  write('index.html', `<!doctype html><title>vite</title><link rel="icon" href="data:,"><p id="text"></p>
    <script type="module" src="/main.js"></script>`);
  write('main.js', `import './style.css';
    import { text } from './text.js';
    const show = (text) => (document.querySelector('#text').textContent = text);
    show(text);
    import.meta.hot.accept('./text.js', (module) => show(module.text));`);
  write('text.js', 'export const text = "as it was";');
  write('style.css', '#text { color: rgb(1, 2, 3) }');
  return { root, write };
}

/** A project, its dev server, and what the workspace needs to pass requests on to it, with the Host that they have. */
export async function startProject(...allowed) {
  const { root, write } = makeProject();
  const start = () => startProgram(process.execPath, [program, root, ...allowed]);
  const project = { write, vite: await start() };
  const to = () => ({ host: '127.0.0.1', port: project.vite.ready.port });
  project.app = {
    request(request, response) {
      const { method, url: path, headers } = request;
      const onward = http.request({ ...to(), method, path, headers }, (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      });
      onward.on('error', () => response.headersSent ? response.destroy() : response.writeHead(502).end('the dev server is down'));
      request.pipe(onward);
    },
    upgrade(request, socket, head) {
      const onward = net.connect(to(), () => {
        const lines = [`${request.method} ${request.url} HTTP/1.1`];
        for (const [name, value] of Object.entries(request.headers)) lines.push(`${name}: ${value}`);
        onward.write(`${lines.join('\r\n')}\r\n\r\n`);
        onward.write(head);
        socket.pipe(onward).pipe(socket);
      });
      onward.on('error', () => socket.destroy()).on('close', () => socket.destroy());
      socket.on('error', () => onward.destroy()).on('close', () => onward.destroy());
    },
  };
  project.start = async () => {
    project.vite = await start();
  };
  return project;
}

/** Waits until the page's console has said it. */
export async function said(page, text) {
  if (page.said.some((line) => line.includes(text))) return;
  await page.waitForEvent('console', (message) => message.text().includes(text));
}
/** Waits until the page shows it. */
export const shows = (page, text) => page.waitForFunction((text) => document.querySelector('#text')?.textContent === text, text);
