import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, makeHome, startPinned } from '../support.ts';
import { type Peer, whenServing, writeZoneFile } from './peer.ts';

/** One worker for each transport. */
export const knot: Peer = {
  name: 'Knot',
  command: 'knotd',
  debian: 'knot',
  start: async (zones) => {
    const port = await freePort();
    const home = makeHome(`knot-${port}`);
    zones.forEach((zone, i) => {
      writeZoneFile(join(home, `zone-${i}`), zone);
    });
    const config = join(home, 'knot.conf');
    writeFileSync(
      config,
      `server:
  rundir: "${home}"
  listen: 127.0.0.1@${port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
log:
  - target: stderr
    any: info
database:
  storage: "${home}"
template:
  - id: default
    storage: "${home}"
    semantic-checks: off
    journal-content: none
    zonefile-sync: -1
zone:
${zones.map(({ apex }, i) => `  - domain: "${apex}"\n    file: "zone-${i}"\n`).join('')}`,
    );
    return whenServing('Knot', await startPinned('knotd', ['-c', config], 'server started'), port, zones);
  },
};
