/** A daemon in front of fake upstreams, and questions to it as a client's resolver puts them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { makeFolder, type RunningDaemon, startTestDaemon } from './daemon.ts';
import { askTcp, askUdp, extendedErrorOf } from './dns.ts';
import { type Behaviour, FakeUpstream, GOOD } from './fake-upstream.ts';
import { type OptSpec, queryBytes, type Reply, readReply } from './message.ts';

export interface AskOptions {
  readonly id?: number;
  /** RD, where nothing is said. */
  readonly flags?: string;
  /** Null, or nothing said: no EDNS. */
  readonly opt?: OptSpec | null;
  readonly overTcp?: boolean;
  /** Of the daemon. */
  readonly address?: string;
}

/** The question is of the form `www.example.com A`. @throws Error where no reply comes, or a broken one */
export async function ask(port: number, question: string, options: AskOptions = {}): Promise<Reply> {
  const { id = 0x1234, flags = 'RD', opt = null, overTcp = false, address = '127.0.0.1' } = options;
  const query = queryBytes(question, { id, flags, opts: opt === null ? [] : [opt] });
  const reply = overTcp
    ? (await askTcp(port, [query], address))[0]
    : await askUdp(port, query, { address, timeoutMs: 20_000 });
  if (reply === undefined || reply === null) throw new Error(`no reply for ${question}`);
  const read = readReply(reply);
  if (read.id !== id) throw new Error(`a reply with the ID ${read.id} to the query ${id}`);
  return read;
}

/** The INFO-CODE of the reply's extended error; null: it has none. */
export function errorCodeOf(reply: Reply): number | null {
  return extendedErrorOf(reply.bytes)?.code ?? null;
}

export interface Forwarding {
  readonly daemon: RunningDaemon;
  readonly upstreams: readonly FakeUpstream[];
  /** The first of them. */
  readonly upstream: FakeUpstream;
  ask(question: string, options?: AskOptions): Promise<Reply>;
}

export interface ForwardingOptions {
  /** Of each upstream before each test; a single one that is GOOD where nothing is said. */
  readonly behaviours?: readonly Behaviour[];
  /** Beside the memory store; all upstreams under UPSTREAMS where nothing else is said. */
  readonly settings?: (upstreams: readonly FakeUpstream[]) => Readonly<Record<string, string>>;
  /** The YAML file. */
  readonly file?: (upstreams: readonly FakeUpstream[]) => string;
}

/**
 * One daemon and its upstreams for all tests of the file or `describe` that this is called in. Before each test the
 * upstreams have seen nothing and behave as at first; what the daemon has cached stays.
 */
export function shareForwarding(options: ForwardingOptions = {}): () => Forwarding {
  const { behaviours = [GOOD], settings, file } = options;
  const folder = makeFolder();
  const upstreams: FakeUpstream[] = [];
  let daemon: RunningDaemon;
  beforeAll(async () => {
    for (const behaviour of behaviours) upstreams.push(await FakeUpstream.open(behaviour));
    const all: Record<string, string> = { STORE: 'memory', UPSTREAMS: upstreams.map((each) => each.endpoint).join() };
    if (file !== undefined) {
      all.CONFIG = join(folder.path, 'cloudmapd.yaml');
      writeFileSync(all.CONFIG, file(upstreams));
    }
    daemon = await startTestDaemon({ dataDir: folder.path, settings: { ...all, ...settings?.(upstreams) } });
  });
  beforeEach(() => {
    for (const [i, upstream] of upstreams.entries()) {
      upstream.behaviour = behaviours[i] as Behaviour;
      upstream.seen.length = 0;
    }
  });
  afterAll(async () => {
    await daemon?.stop('SIGKILL');
    for (const upstream of upstreams) await upstream.close();
    folder.remove();
  });
  return () => ({
    daemon,
    upstreams,
    upstream: upstreams[0] as FakeUpstream,
    ask: (question, asking) => ask(daemon.dnsPort, question, asking),
  });
}
