// The frameworks, as their own guides start them, and what does not work on which row: the table of docs/frameworks.md, which
// table.test.mjs holds against the dev servers themselves.
import { arch } from 'node:os';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const kRows = ['cmux', 'direct', 'gateway', 'template'];
export const here = fileURLToPath(new URL('.', import.meta.url));

// Frameworks of today want a newer Node than Debian's; npm has one.
const newer = join(here, `node_modules/node-linux-${arch()}/bin/node`);
const node = existsSync(newer) ? newer : process.execPath;
const python = '/usr/bin/python3'; // the one that Debian's packages are for
const script = (path) => join(here, 'node_modules', path);
const vite = (host, port) => [node, script('vite/bin/vite.js'), '--host', host, '--port', port, '--strictPort'];

/**
 * `checks`: what there is to look at. `edit`: the file with the page's title; the page `reloads` by itself where it cannot be
 * updated in place. `private`: where the login leads. `template`: what a template's route gives instead, by check, where the dev server
 * is not told of the cloud's host; a page's status ends the look. `mend`: the line that mends it, and where it belongs.
 */
export const kApps = [
  {
    name: 'vite-react', title: 'Vite + React', checks: ['hydration', 'socket', 'hot'], edit: 'src/App.jsx', start: vite,
    template: { page: 403 },
    mend: { file: 'vite.config.js', behind: 'plugins: [react()],', line: "server: { allowedHosts: ['.app.github.dev'] }," },
  },
  {
    name: 'next', title: 'Next.js', checks: ['hydration', 'socket', 'hot', 'form', 'login'], edit: 'app/page.jsx',
    start: (host, port) => [node, script('next/dist/bin/next'), 'dev', '-H', host, '-p', port],
    env: { NEXT_TELEMETRY_DISABLED: '1' },
  },
  {
    name: 'sveltekit', title: 'SvelteKit', checks: ['hydration', 'socket', 'hot', 'form', 'login'], edit: 'src/routes/+page.svelte',
    start: vite,
    template: { page: 403 },
    mend: { file: 'vite.config.js', behind: 'plugins: [sveltekit()],', line: "server: { allowedHosts: ['.app.github.dev'] }," },
  },
  {
    name: 'express', title: 'Express + socket.io', checks: ['hydration', 'socket', 'form', 'login'],
    start: (host, port) => [node, 'server.js', host, port],
    template: { form: 'its own check: Origin says https, Express thinks http' },
    mend: { file: 'server.js', behind: 'const app = express();', line: "app.set('trust proxy', true);" },
  },
  {
    name: 'django', title: 'Django', checks: ['form', 'login'],
    start: (host, port) => [python, 'manage.py', 'runserver', '--noreload', `${host}:${port}`],
    template: { page: 400 },
    mend: { file: 'manage.py', documented: 'settings.py', instead: 'ALLOWED_HOSTS=[],', line: 'ALLOWED_HOSTS=[".app.github.dev"],' },
  },
  {
    name: 'jupyter-like', title: "Tornado with Jupyter's checks", checks: ['hydration', 'socket', 'form', 'login'],
    start: (host, port) => [python, 'server.py', host, port],
    template: { page: 403 },
    mend: {
      file: 'server.py', instead: 'LOCAL_HOSTNAMES = ["localhost"]',
      line: 'LOCAL_HOSTNAMES = ["NAME-3000.app.github.dev"]',
    },
  },
  {
    name: 'nuxt', title: 'Nuxt', more: true, checks: ['hydration', 'socket', 'hot', 'form', 'login'],
    edit: 'app/app.vue', private: '/?private',
    start: (host, port) => [node, script('nuxt/bin/nuxt.mjs'), 'dev', '--host', host, '--port', port, '--no-fork'],
    env: { NUXT_TELEMETRY_DISABLED: '1' },
  },
  {
    name: 'astro', title: 'Astro', more: true, checks: ['hydration', 'socket', 'hot', 'form', 'login'],
    edit: 'src/pages/index.astro', reloads: true,
    start: (host, port) => [node, script('astro/bin/astro.mjs'), 'dev', '--host', host, '--port', port],
    env: { ASTRO_TELEMETRY_DISABLED: '1' },
    template: { page: 403 },
    mend: {
      file: 'astro.config.mjs', behind: "output: 'server',",
      line: "server: { allowedHosts: ['.app.github.dev'] }, security: { checkOrigin: false },",
    },
  },
  {
    name: 'webpack', title: 'webpack-dev-server', more: true, checks: ['hydration', 'socket', 'hot'], edit: 'src/title.js',
    // Told of an address, it would have the page look for its socket there.
    start: (host, port) => [node, script('webpack-cli/bin/cli.js'), 'serve', '--host', host, '--port', port,
      '--client-web-socket-url-hostname', '0.0.0.0'],
    template: { page: 403 },
    mend: { file: 'webpack.config.cjs', behind: "static: './public',", line: "allowedHosts: ['.app.github.dev']," },
  },
];

/** Its line in docs/frameworks.md. */
export function documented({ title, template, mend }) {
  const missing = template?.page ? `no: ${template.page}` : `all but ${Object.keys(template ?? {})}`;
  const line = mend ? `\`${mend.line.replace(/,$/, '')}\` in \`${mend.documented ?? mend.file}\`` : '–';
  return `| ${title} | ✓ | ✓ | ${template ? missing : '✓'} | ${line} |`;
}
