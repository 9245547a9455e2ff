/** Where the loopback requests of a context go. Which fields belong together: `cmuxproxy ctx create --help`. */
export interface Route {
  morphId?: string | null;
  scope?: string | null;
  /** `https://cmux-<morphId>-<scope>-<port>.<domainSuffix>` */
  domainSuffix?: string | null;
  /** `https://port-<port>-morphvm-<morphId><morphDomainSuffix>` */
  morphDomainSuffix?: string | null;
  /** This cmux proxy, which gets the port in a header. */
  cmuxProxyOrigin?: string | null;
  /** This URL, with `{port}`, `{id}`, `{scope}` and `{suffix}` filled in. */
  template?: string | null;
  suffix?: string | null;
  /** Go on every request of the route, such as a preview token. */
  headers?: Record<string, string> | null;
  /** Globs over names beyond loopback that are the workspace's too, such as `*.internal`; need a `cmuxProxyOrigin`. */
  hosts?: string[] | null;
  /** Whether the dev server sees the client's own Host, `localhost:<port>`. `auto`: on every route but a template. */
  hostOverride?: 'auto' | 'on' | 'off' | null;
  /** Of a template: Host itself says so, for clouds that hand it through. */
  hostHeader?: boolean | null;
  /** Whether `Origin` becomes the workspace's where the dev server sees the workspace's Host. `auto`: but for Next.js's own paths. */
  rewriteOrigin?: 'auto' | 'on' | 'off' | null;
}

/** Clouds whose form of URL and headers are known. */
export type Preset = 'codespaces' | 'devtunnels' | 'gitpod' | 'e2b' | 'daytona' | 'codesandbox' | 'coder';

/** What else a context can have: the keys of the admin API's `POST /v1/contexts`. */
export interface ContextOptions {
  /** A port of its own that asks for no credentials: `true`, or which one. */
  dedicatedPort?: boolean | number;
  /** Ports of 127.0.0.1 (`local`; 0: any) that lead to a port of the workspace. */
  forwards?: { port: number; local?: number }[];
  /** Ports of the workspace, each under its own number while it listens there; its far end must be our gateway. */
  forwardAuto?: boolean;
  /** A preview URL from which the route is taken; fields of `route` go before. */
  fromUrl?: string;
  /** Fills in the template and headers that `route` leaves open. */
  preset?: Preset;
  /** Goes into the header that the preset, or the kind of `fromUrl`, has for it. */
  token?: string;
  /** Straight to the proxy in the machine of a cmux or morph workspace: nothing is put into pages, and raw TCP works. */
  direct?: boolean;
  label?: string;
  ttlSeconds?: number;
}

export interface Context {
  id: string;
  username: string;
  password: string;
  webContentsId: number;
}

/** What a context has in addition where `dedicatedPort` or `forwards` were asked for. */
export interface ContextWithPorts extends Context {
  /** Address and port that this context's requests are sent to. */
  proxy: string;
  dedicatedPort: number | null;
  forwards: { port: number; local: number }[];
}

export interface ExitInfo {
  code: number | null;
  signal: string | null;
  /** The last lines that the process wrote to standard error. */
  stderr: string;
  /** Whether it ended after stop(). */
  expected: boolean;
}

export interface StartOptions {
  /**
   * The program. Else `$CMUXPROXY_BIN`, `bin/cmuxproxy` of this package, the platform's package (`@cmuxproxy/linux-x64`), `cmuxproxy` of
   * `$PATH`, `build/release` of a checkout.
   */
  binary?: string;
  /** More arguments of `cmuxproxy serve`. */
  args?: string[];
  /** Variables over those of this process. */
  env?: Record<string, string | undefined>;
  /** The instance's name, for `cmuxproxy … --instance NAME`; made up, else. */
  instance?: string;
  /** Gets every line that the process writes to standard error: its log. */
  log?: (line: string) => void;
  /** Called once when the process has ended, after stop() or by itself. */
  onExit?: (info: ExitInfo) => void;
}

/** Errors carry what is known: */
export interface ProxyError extends Error {
  /**
   * `ENOENT`: no program was found; `CMUXPROXY_CANNOT_RUN`: it is for another system; `EADDRINUSE`: the port is taken;
   * `CMUXPROXY_ENDED`, `CMUXPROXY_STOPPED`: there is no proxy any more; `CMUXPROXY_TIMEOUT`: it has not answered within 900 ms.
   */
  code?: string;
  /** Of the admin API's answer. */
  status?: number;
  detail?: string;
  /** The argument or key that is to blame, such as `route.morphId`. */
  field?: string;
  /** Of a process that has ended. */
  exitCode?: number | null;
  signal?: string | null;
  stderr?: string;
}

/**
 * A `cmuxproxy serve` that belongs to this process: it ends with it, however that ends. It does not keep this process alive.
 */
export class ProxyServer {
  private constructor();

  /**
   * Starts a proxy on `listenAddr` ("127.0.0.1:39385"; port 0: any). Rejects where the port is taken, the program is not found, or it
   * does not start.
   */
  static start(listenAddr: string, enableHttp2?: boolean, options?: StartOptions): Promise<ProxyServer>;

  port(): number;

  /** Credentials for one web contents. They work when this returns. */
  createContext(webContentsId: number, route: Route | null | undefined,
                options: ContextOptions & ({ dedicatedPort: true | number } | { forwards: object[] })): ContextWithPorts;
  createContext(webContentsId: number, route?: Route | null, options?: ContextOptions | null): Context;

  /** Makes a context's credentials worthless and closes its tunnels and ports. False where there is no such context any more. */
  releaseContext(id: string): boolean;

  /**
   * The URL of the inspector's page, which shows what goes through. It works once and for a minute: for a window that is opened now.
   * The window's session must not use this proxy, which never leads to itself.
   */
  inspectorUrl(): string;

  /**
   * Stops accepting, and lets requests that are under way end (5 s at the most, else `args: ['--drain-timeout', …]`). The port is free
   * when this returns.
   */
  stop(): void;

  readonly pid: number;
  readonly instance: string;
  /** The local CA's certificate (PEM). Null where there is none, and no TLS towards clients. */
  readonly caFile: string | null;
  /** Resolves when the process has ended. */
  readonly exited: Promise<ExitInfo>;

  /**
   * Whether the certificate (PEM) is one of this proxy's for that loopback name or address: signed by its CA, and valid now. For
   * Electron's `setCertificateVerifyProc`.
   */
  certifies(hostname: string, certificate: string): boolean;

  /** Keeps this process alive while the proxy runs, or not (as after start()). */
  ref(): this;
  unref(): this;
}
