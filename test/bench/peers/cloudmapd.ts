import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { folder, freePort, ROOT, SERVER_CORE, startOn } from '../support.ts';
import { type Peer, type Server, TTL_SECONDS, whenServing, type Zone } from './peer.ts';

/** The daemon of a checkout. */
export interface Daemon extends Server {
  /** Of the API. */
  readonly http: number;
}

export const SERVE = serveOf(ROOT);

function serveOf(root: string): string[] {
  return [join(root, 'src/main.ts'), 'serve'];
}

/** @param settings without CLOUDMAPD_; where they say nothing, a store in memory @param root of the checkout */
export async function startDaemon(
  settings: Readonly<Record<string, string>>,
  core = SERVER_CORE,
  root = ROOT,
): Promise<Daemon> {
  const [http, port] = [await freePort(), await freePort()];
  const env = { CLOUDMAPD_HTTP: `127.0.0.1:${http}`, CLOUDMAPD_DNS: `127.0.0.1:${port}`, CLOUDMAPD_STORE: 'memory' };
  for (const [key, value] of Object.entries(settings)) Object.assign(env, { [`CLOUDMAPD_${key}`]: value });
  const child = await startOn(core, process.execPath, serveOf(root), 'list-namespaces', env);
  return { name: 'cloudmapd', child, pid: child.pid as number, port, http };
}

/** The zones as declared content. @param sockets of DNS over UDP @param root of the checkout */
export function cloudmapd(name: string, sockets: 'auto' | 'plain', root = ROOT): Peer {
  return {
    name,
    command: null,
    debian: 'none',
    start: async (zones) => {
      const config = join(folder, `${name.replace(/\W/g, '-')}.yaml`);
      writeFileSync(config, contentOf(zones));
      const daemon = await startDaemon({ CONFIG: config, DNS_SOCKETS: sockets }, SERVER_CORE, root);
      return { ...(await whenServing(name, daemon.child, daemon.port, zones)), name };
    },
  };
}

/** YAML is a superset of JSON. */
function contentOf(zones: readonly Zone[]): string {
  const namespaces = zones.map(({ apex, hosts, srvs }) => ({
    name: apex,
    type: 'DNS_PRIVATE',
    services: [
      ...hosts.map(({ name, addresses }) => ({
        name: name.slice(0, -apex.length - 1),
        dns: { records: [{ type: 'A', ttl: TTL_SECONDS }] },
        instances: addresses.map((AWS_INSTANCE_IPV4, i) => ({ id: `i${i}`, attributes: { AWS_INSTANCE_IPV4 } })),
      })),
      ...srvs.map(({ name, instances }) => ({
        name: name.slice(0, -apex.length - 1),
        dns: { records: [{ type: 'SRV', ttl: TTL_SECONDS }] },
        instances: instances.map(({ id, port, ipv4, ipv6 }) => ({
          id,
          attributes: { AWS_INSTANCE_IPV4: ipv4, AWS_INSTANCE_IPV6: ipv6, AWS_INSTANCE_PORT: String(port) },
        })),
      })),
    ],
  }));
  return JSON.stringify({ namespaces });
}
