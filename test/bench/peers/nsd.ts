import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, makeHome, SERVER_CORE, startOn } from '../support.ts';
import { type Peer, whenServing, writeZoneFile } from './peer.ts';

/**
 * One server process. Answers get no NS records beside them, as with cloudmapd; NSD leaves out those of SRV targets
 * along with them, so that it needs `hasAdditionals` for these. No rate limits, which Debian's has for one client.
 */
export function nsd({ hasAdditionals = false, core = SERVER_CORE } = {}): Peer {
  return {
    name: 'NSD',
    command: 'nsd',
    debian: 'nsd',
    start: async (zones) => {
      const port = await freePort();
      const home = makeHome(`nsd-${port}`);
      zones.forEach((zone, i) => {
        writeZoneFile(join(home, `zone-${i}`), zone);
      });
      const config = join(home, 'nsd.conf');
      writeFileSync(
        config,
        `server:
  ip-address: 127.0.0.1
  port: ${port}
  server-count: 1
  rrl-ratelimit: 0
  minimal-responses: ${hasAdditionals ? 'no' : 'yes'}
  tcp-count: 200
  username: ""
  zonesdir: "${home}"
  pidfile: ""
  database: ""
  xfrdir: "${home}"
  xfrdfile: ""
  zonelistfile: "${home}/zones"
remote-control:
  control-enable: no
${zones.map(({ apex }, i) => `zone:\n  name: ${apex}\n  zonefile: zone-${i}\n`).join('')}`,
      );
      return whenServing('NSD', await startOn(core, 'nsd', ['-d', '-c', config], 'nsd started'), port, zones);
    },
  };
}
