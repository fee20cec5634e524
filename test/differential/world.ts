/** One content served four times: by the daemon from its registry, by BIND, NSD and Knot from zone files. */
import type { DeclaredNamespace } from '../../src/declared/schema.ts';
import { startApi } from '../support/api.ts';
import { makeFolder } from '../support/daemon.ts';
import { askTcp, buildQuery, readAnswer } from '../support/dns.ts';
import { TcpAsker, UdpAsker } from './asking.ts';
import { Chance } from './chance.ts';
import { makeContent } from './content.ts';
import { Facts } from './exchange.ts';
import { subjectOf } from './queries.ts';
import { type Asker, type Result, run } from './run.ts';
import { SERVER_NAMES, type ServerName, startServer, type ZoneFile } from './servers.ts';
import { zoneFileOf } from './zone-file.ts';

export interface World {
  /** Asks all four and compares. */
  compare(count: number): Promise<Result>;
  close(): Promise<void>;
}

export interface WorldOptions {
  readonly seed: number;
  /** How many namespaces. */
  readonly namespaces: number;
  /** What to make of a zone file before it is served. */
  readonly edit?: (text: string) => string;
}

export async function startWorld({ seed, namespaces, edit = (text) => text }: WorldOptions): Promise<World> {
  const cleanups: (() => unknown)[] = [];
  const close = async (): Promise<void> => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  };
  try {
    const content = makeContent(seed, namespaces);
    // JSON is YAML.
    const daemon = await startApi({}, JSON.stringify({ namespaces: content }));
    cleanups.push(daemon.close);
    const files = await Promise.all(
      content.map(async (each) => ({
        zone: each.name,
        text: edit(zoneFileOf(each, await serialOf(each, daemon.dnsPort))),
      })),
    );
    const folder = makeFolder();
    cleanups.push(folder.remove);
    const servers = new Map<ServerName, Asker>();
    const open = async (port: number): Promise<Asker> => {
      const sentinel = buildQuery((content[0] as DeclaredNamespace).name, 'SOA');
      const asker = { udp: await UdpAsker.open(port, sentinel), tcp: new TcpAsker(port, sentinel) };
      cleanups.push(() => {
        asker.udp.close();
        asker.tcp.close();
      });
      return asker;
    };
    for (const name of SERVER_NAMES) servers.set(name, await startAsker(name, folder.path, files, open, cleanups));
    const options = {
      chance: new Chance(seed + 1),
      subjects: content.map(subjectOf),
      facts: new Facts(content),
      daemon: await open(daemon.dnsPort),
      servers,
    };
    return { compare: (count) => run({ ...options, count }), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startAsker(
  name: ServerName,
  folder: string,
  files: readonly ZoneFile[],
  open: (port: number) => Promise<Asker>,
  cleanups: (() => unknown)[],
): Promise<Asker> {
  const server = await startServer(name, folder, files);
  cleanups.push(server.stop);
  return open(server.port);
}

/** The daemon makes serials from its clock; over TCP, since the longest zones' SOA does not fit 512 octets. */
async function serialOf({ name }: DeclaredNamespace, port: number): Promise<number> {
  const [reply] = await askTcp(port, [buildQuery(name, 'SOA')]);
  return Number(readAnswer(reply as Buffer).message.answers[0]?.serial);
}
