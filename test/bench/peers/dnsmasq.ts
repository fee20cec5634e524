import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, makeHome, startPinned } from '../support.ts';
import { asRoot, type Peer, TTL_SECONDS, whenServing } from './peer.ts';

/** It has no zone files: addresses come from a hosts file, SRV records from its own configuration. */
export const dnsmasq: Peer = {
  name: 'dnsmasq',
  command: 'dnsmasq',
  debian: 'dnsmasq-base',
  start: async (zones) => {
    const port = await freePort();
    const home = makeHome(`dnsmasq-${port}`);
    const hosts = join(home, 'hosts');
    const srvs = zones.flatMap((zone) => zone.srvs);
    const lines = zones.flatMap((zone) =>
      zone.hosts.flatMap(({ name, addresses }) => addresses.map((one) => `${one} ${name}`)),
    );
    for (const { name, instances } of srvs) {
      for (const { id, ipv4, ipv6 } of instances) lines.push(`${ipv4} ${id}.${name}`, `${ipv6} ${id}.${name}`);
    }
    writeFileSync(hosts, `${lines.join('\n')}\n`);
    const config = join(home, 'dnsmasq.conf');
    writeFileSync(
      config,
      `keep-in-foreground
log-facility=-
pid-file=
listen-address=127.0.0.1
bind-interfaces
port=${port}
no-hosts
no-resolv
addn-hosts=${hosts}
local-ttl=${TTL_SECONDS}
${zones.map(({ apex }) => `local=/${apex}/\n`).join('')}${srvs
  .flatMap(({ name, instances }) => instances.map(({ id, port: to }) => `srv-host=${name},${id}.${name},${to},1,1\n`))
  .join('')}`,
    );
    const args = [`--conf-file=${config}`, ...asRoot('--user=root')];
    return whenServing('dnsmasq', await startPinned('dnsmasq', args, 'started, version'), port, zones);
  },
};
