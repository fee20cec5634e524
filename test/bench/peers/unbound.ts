import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, makeHome, startPinned } from '../support.ts';
import { type Peer, whenServing, writeZoneFile } from './peer.ts';

/** A resolver, which answers zones of its own (auth-zone) before it would resolve anything. */
export const unbound: Peer = {
  name: 'Unbound',
  command: 'unbound',
  debian: 'unbound',
  start: async (zones) => {
    const port = await freePort();
    const home = makeHome(`unbound-${port}`);
    zones.forEach((zone, i) => {
      writeZoneFile(join(home, `zone-${i}`), zone);
    });
    const config = join(home, 'unbound.conf');
    const authZones = zones.map(
      ({ apex }, i) =>
        `auth-zone:\n  name: "${apex}"\n  zonefile: "zone-${i}"\n  for-downstream: yes\n  for-upstream: no\n`,
    );
    writeFileSync(
      config,
      `server:
  interface: 127.0.0.1@${port}
  num-threads: 1
  module-config: "iterator"
  access-control: 127.0.0.0/8 allow
  incoming-num-tcp: 200
  do-daemonize: no
  use-syslog: no
  verbosity: 1
  username: ""
  chroot: ""
  directory: "${home}"
  pidfile: ""
remote-control:
  control-enable: no
${authZones.join('')}`,
    );
    return whenServing('Unbound', await startPinned('unbound', ['-d', '-c', config], 'start of service'), port, zones);
  },
};
