import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, makeHome, startPinned } from '../support.ts';
import { type Peer, whenServing, writeZoneFile } from './peer.ts';

/** One thread. Answers get no NS records beside them, as with cloudmapd, and SRV records get their targets' addresses. */
export const bind: Peer = {
  name: 'BIND',
  command: 'named',
  debian: 'bind9',
  start: async (zones) => {
    const port = await freePort();
    const home = makeHome(`bind-${port}`);
    zones.forEach((zone, i) => {
      writeZoneFile(join(home, `zone-${i}`), zone);
    });
    const config = join(home, 'named.conf');
    writeFileSync(
      config,
      `options {
  directory "${home}"; pid-file none; session-keyfile none; lock-file none;
  listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; };
  recursion no; empty-zones-enable no; dnssec-validation no; notify no; allow-transfer { none; };
  minimal-responses no-auth; check-names primary ignore;
};
controls { };
${zones.map(({ apex }, i) => `zone "${apex}" { type primary; file "zone-${i}"; };\n`).join('')}`,
    );
    const child = await startPinned('named', ['-g', '-n', '1', '-c', config], 'all zones loaded');
    return whenServing('BIND', child, port, zones);
  },
};
