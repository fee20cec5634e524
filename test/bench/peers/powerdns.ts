import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, makeHome, startPinned } from '../support.ts';
import { type Peer, whenServing, writeZoneFile } from './peer.ts';

/** One thread of each kind; zone files through its bind backend, and its packet cache as it is by default. */
export const powerdns: Peer = {
  name: 'PowerDNS',
  command: 'pdns_server',
  debian: 'pdns-server pdns-backend-bind',
  start: async (zones) => {
    const port = await freePort();
    const home = makeHome(`powerdns-${port}`);
    zones.forEach((zone, i) => {
      writeZoneFile(join(home, `zone-${i}`), zone);
    });
    const named = join(home, 'named.conf');
    writeFileSync(
      named,
      zones.map(({ apex }, i) => `zone "${apex}" { type native; file "${join(home, `zone-${i}`)}"; };\n`).join(''),
    );
    const settings = {
      'config-dir': home,
      'socket-dir': home,
      'local-address': '127.0.0.1',
      'local-port': port,
      launch: 'bind',
      'bind-config': named,
      'receiver-threads': 1,
      'distributor-threads': 1,
      'disable-syslog': 'yes',
      'write-pid': 'no',
      'security-poll-suffix': '',
      // By default 20 clients, and so many queries of one connection, which is then closed.
      'max-tcp-connections': 200,
      'max-tcp-transactions-per-conn': 0,
    };
    const args = Object.entries(settings).map(([key, value]) => `--${key}=${value}`);
    const child = await startPinned('pdns_server', args, 'Creating backend connection for TCP');
    return whenServing('PowerDNS', child, port, zones);
  },
};
