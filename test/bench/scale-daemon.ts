/** The daemon that the `scale` bench starts, on all cores as it would for anyone. */
import { SERVE } from './peers/cloudmapd.ts';
import type { Server } from './peers/peer.ts';
import { untilDnsAnswers, untilHttpOk } from './polling.ts';
import { CLOUDMAPD } from './report.ts';
import { scaleZones } from './scale-content.ts';
import { ALL_CORES, freePort, startOn } from './support.ts';

/** Of a name's addresses (Cloud Map: RoutingPolicy, MULTIVALUE). */
export const ANSWERED = 8;

export interface Started {
  readonly server: Server;
  /** The API's port. */
  readonly http: number;
  /** From the start of the process, in s. */
  readonly answersAfter: number;
  readonly apiAfter: number;
}

/** The first and the last name of each zone. */
export function probedNames(size: number): string[] {
  const hosts = scaleZones(size).flatMap((zone) => [zone.hosts[0], zone.hosts.at(-1)]);
  return hosts.flatMap((host) => (host === undefined ? [] : [host.name]));
}

/** @param names of which each must be answered */
export async function start(dataDir: string, names: readonly string[]): Promise<Started> {
  const [http, port] = [await freePort(), await freePort()];
  const startedAt = performance.now();
  const child = await startOn(ALL_CORES, process.execPath, SERVE, '', {
    CLOUDMAPD_HTTP: `127.0.0.1:${http}`,
    CLOUDMAPD_DNS: `127.0.0.1:${port}`,
    CLOUDMAPD_DATA_DIR: dataDir,
  });
  const secondsAfter = async (event: Promise<void>): Promise<number> => {
    await event;
    return (performance.now() - startedAt) / 1000;
  };
  const [answersAfter, apiAfter] = await Promise.all([
    secondsAfter(untilDnsAnswers(child, port, names, ANSWERED)),
    secondsAfter(untilHttpOk(child, http, '/readyz')),
  ]);
  return { http, server: { name: CLOUDMAPD, child, pid: child.pid as number, port }, answersAfter, apiAfter };
}
