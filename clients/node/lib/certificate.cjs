// Is a certificate the proxy's own? For hosts that decide about trust themselves, such as Electron.
'use strict';

const crypto = require('node:crypto');
const net = require('node:net');

// The names and addresses that the CA may vouch for. Its own certificate says so too, but what looks at a signature alone does not
// ask: without this, a stolen key would be good for every site.
const NAMES = /(^|\.)(localhost|cmux\.local|manaflow\.local)$/;
const ADDRESSES = /^(127\.\d+\.\d+\.\d+|0\.0\.0\.0|::1?|::ffff:(127\.\d+\.\d+\.\d+|7f[0-9a-f]{2}:[0-9a-f]{1,4}))$/;

function certifies(authority, hostname, certificate) {
  const host = hostname.toLowerCase().replace(/^\[|\]$/g, '').replace(/\.$/, '');
  const address = net.isIP(host) !== 0;
  if (!(address ? ADDRESSES : NAMES).test(host)) return false;
  try {
    const leaf = new crypto.X509Certificate(certificate);
    const now = Date.now();
    return (address ? leaf.checkIP(host) : leaf.checkHost(host)) !== undefined &&
      Date.parse(leaf.validFrom) <= now && now <= Date.parse(leaf.validTo) && leaf.checkIssued(authority) &&
      leaf.verify(authority.publicKey);
  } catch {
    return false;  // not a certificate
  }
}

module.exports = { certifies };
