// The integration that apps of the original module have, call by call, with another import: its guide in plain JavaScript. Apps
// are to keep it as it is, so what is odd here stays.
import { ProxyServer } from '../../index.mjs';

let proxyServer = null;

export async function startPreviewProxy(logger) {
  if (proxyServer) {
    return proxyServer.port();
  }
  for (let attempt = 0; attempt < 50; attempt++) {
    const port = 39385 + attempt;
    try {
      proxyServer = await ProxyServer.start(`127.0.0.1:${port}`, true);
      logger.log('Rust proxy server started', { port });
      return port;
    } catch (error) {
      if (attempt === 49) {
        throw new Error('Failed to start proxy server');
      }
    }
  }
  throw new Error('Unreachable');
}

export async function configurePreviewProxyForView(options) {
  const { webContents, initialUrl, persistKey, logger } = options;
  if (!proxyServer) {
    throw new Error('Proxy server not started');
  }
  const route = deriveRoute(initialUrl);
  if (!route) {
    logger.warn('Preview proxy skipped; unable to parse cmux host', { url: initialUrl, persistKey });
    return () => {};
  }
  const context = proxyServer.createContext(webContents.id, {
    morphId: route.morphId,
    scope: route.scope,
    domainSuffix: route.domainSuffix,
  });
  const port = proxyServer.port();
  try {
    await webContents.session.setProxy({
      proxyRules: `http=127.0.0.1:${port};https=127.0.0.1:${port}`,
      proxyBypassRules: '<-loopback>',
    });
  } catch (error) {
    proxyServer.releaseContext(context.id);
    logger.warn('Failed to configure preview proxy', { error });
    throw error;
  }
  let cleanedUp = false;
  const cleanup = () => {
    if (cleanedUp) return;
    cleanedUp = true;
    if (proxyServer) {
      proxyServer.releaseContext(context.id);
    }
    logger.log('Released proxy context', { webContentsId: webContents.id, persistKey });
  };
  webContents.once('destroyed', cleanup);
  logger.log('Configured proxy context', { webContentsId: webContents.id, persistKey, route });
  return cleanup;
}

export function getProxyCredentialsForWebContents(id) {
  return null;
}

export function releasePreviewProxy(webContentsId) {}

// The app's own, of which the guide only says the name.
function deriveRoute(url) {
  const host = /^https?:\/\/cmux-([a-z0-9-]+)-([a-z0-9]+)-\d+\.([a-z0-9.-]+?)(?::\d+)?(?:\/|$)/.exec(url);
  return host && { morphId: host[1], scope: host[2], domainSuffix: host[3] };
}

export const started = () => proxyServer;  // for the test
