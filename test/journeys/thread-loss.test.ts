/** The answering thread dies while queries and registrations come: nothing acknowledged is lost, nothing wrong said. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfiguration } from '../../src/config.ts';
import { type Daemon, startDaemon } from '../../src/daemon.ts';
import { createLog } from '../../src/log.ts';
import { makeFolder } from '../support/daemon.ts';
import { askTcp, askUdp, buildQuery, readAnswer } from '../support/dns.ts';
import { Api } from '../support/journey-api.ts';
import { waitFor } from '../support/journey-tools.ts';

/** While no thread is there nobody says that none is: the client's patience ends the wait. */
const CLIENT_PATIENCE_MS = 300;

let folder: ReturnType<typeof makeFolder>;
let daemon: Daemon;
let endpoint: string;
let dnsPort: number;
let api: Api;
let service: string;

async function start(threads: number): Promise<void> {
  // In this process: the thread has to be within reach.
  const configuration = loadConfiguration(
    {},
    {
      CLOUDMAPD_HTTP: '127.0.0.1:0',
      CLOUDMAPD_DNS: '127.0.0.1:0',
      CLOUDMAPD_DNS_THREADS: String(threads),
      CLOUDMAPD_DATA_DIR: folder.path,
    },
  );
  const log = createLog('error');
  log.level = 'silent';
  daemon = await startDaemon(configuration, log);
  endpoint = `http://${daemon.http[0]}`;
  dnsPort = Number(daemon.dns[0]?.split(':').at(-1));
  api = new Api(endpoint);
  service = await api.createService(await api.createNamespace('corp.internal'), 'db', { records: [['SRV', 60]] });
}
beforeEach(() => {
  folder = makeFolder();
});
afterEach(async () => {
  api.sdk.destroy();
  await daemon.close();
  folder.remove();
});

const addressOf = (n: number): string => `10.1.${n >> 8}.${n & 255}`;
const nameOf = (n: number): string => `db-${n}.db.corp.internal`;

/** Registers and asks as fast as it can until it is stopped. */
class Hammer {
  /** Instances 0 to this are acknowledged. */
  acknowledged = 0;
  right = 0;
  /** No reply, or SERVFAIL: neither says anything about the name. */
  unanswered = 0;
  readonly wrong: string[] = [];
  #isStopped = false;
  readonly #loops: Promise<void>[];

  constructor() {
    this.#loops = [this.#register(), ...Array.from({ length: 4 }, () => this.#ask())];
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#loops);
  }

  async #register(): Promise<void> {
    for (let n = 0; !this.#isStopped; n++) {
      await api.register(service, `db-${n}`, { AWS_INSTANCE_IPV4: addressOf(n), AWS_INSTANCE_PORT: '5432' });
      this.acknowledged = n + 1;
    }
  }

  async #ask(): Promise<void> {
    while (!this.#isStopped) {
      if (this.acknowledged === 0) {
        await nextTurn();
        continue;
      }
      // The newest is the one that a stale thread would not know.
      const n = this.acknowledged - 1;
      const reply = await askUdp(dnsPort, buildQuery(nameOf(n), 'A'), { timeoutMs: CLIENT_PATIENCE_MS });
      const answer = reply === null ? null : readAnswer(reply);
      if (answer === null || answer.rcode === 'SERVFAIL') this.unanswered++;
      else if (answer.rcode === 'NOERROR' && answer.answer.join() === `${nameOf(n)}. 60 IN A ${addressOf(n)}`)
        this.right++;
      else this.wrong.push(`${nameOf(n)}: ${answer.rcode} ${answer.answer.join()}`);
    }
  }
}

async function readiness(): Promise<number> {
  const response = await fetch(`${endpoint}/readyz`);
  await response.text();
  return response.status;
}

/** Every acknowledged instance, over UDP and over TCP. */
async function expectAllAnswered(count: number): Promise<void> {
  const queries = Array.from({ length: count }, (_, n) => buildQuery(nameOf(n), 'A', { id: n }));
  for (const reply of await askTcp(dnsPort, queries)) {
    const n = reply.readUInt16BE(0);
    expect(readAnswer(reply).answer).toEqual([`${nameOf(n)}. 60 IN A ${addressOf(n)}`]);
  }
  const udp = await askUdp(dnsPort, queries[count - 1] as Uint8Array);
  expect(readAnswer(udp as Buffer).answer).toEqual([`${nameOf(count - 1)}. 60 IN A ${addressOf(count - 1)}`]);
}

describe('the answering thread', () => {
  it('is replaced on the same port with everything registered, and registrations go on all the while', async () => {
    await start(1);
    const hammer = new Hammer();
    const ready = await (await fetch(`${endpoint}/readyz`)).json();
    for (let round = 0; round < 3; round++) {
      const { acknowledged, right } = hammer;
      await waitFor('queries and registrations', () =>
        hammer.acknowledged >= acknowledged + 20 && hammer.right >= right + 20 ? true : null,
      );
      await daemon.publisher.threads[0]?.terminate();
      expect(daemon.publisher.isReady).toBe(false);
      expect(await readiness()).toBe(503);
      const atLoss = hammer.acknowledged;
      await waitFor('a registration without a thread or with the next one', () =>
        hammer.acknowledged > atLoss ? true : null,
      );
      await waitFor('readiness', async () => ((await readiness()) === 200 ? true : null));
    }
    const { right } = hammer;
    await waitFor('answers after the last loss', () => (hammer.right >= right + 20 ? true : null));
    await hammer.stop();

    expect(hammer.wrong).toEqual([]);
    expect(await (await fetch(`${endpoint}/readyz`)).json()).toEqual(ready);
    await expectAllAnswered(hammer.acknowledged);
    expect(await api.instanceIds(service)).toHaveLength(hammer.acknowledged);
  });

  it('is replaced once more where it dies before it was filled', async () => {
    await start(1);
    const hammer = new Hammer();
    await waitFor('registrations', () => (hammer.acknowledged >= 20 ? true : null));
    const [first] = daemon.publisher.threads;
    await first?.terminate();
    const second = await waitFor('the next thread', () => daemon.publisher.threads[0] ?? null);
    expect(second).not.toBe(first);
    await second.terminate();
    await waitFor('readiness', async () => ((await readiness()) === 200 ? true : null));
    const { right } = hammer;
    await waitFor('answers', () => (hammer.right >= right + 20 ? true : null));
    await hammer.stop();
    expect(hammer.wrong).toEqual([]);
    await expectAllAnswered(hammer.acknowledged);
  });
});

describe('one of two answering threads', () => {
  it('is replaced while the other one answers, and nothing that was registered is missing anywhere', async () => {
    await start(2);
    const hammer = new Hammer();
    const ready = await (await fetch(`${endpoint}/readyz`)).json();
    expect(ready).toMatchObject({ threads: 2 });
    for (let round = 0; round < 4; round++) {
      const { acknowledged, right } = hammer;
      await waitFor('queries and registrations', () =>
        hammer.acknowledged >= acknowledged + 20 && hammer.right >= right + 20 ? true : null,
      );
      await daemon.publisher.threads[round % 2]?.terminate();
      expect(daemon.publisher.isReady).toBe(true);
      expect(await readiness()).toBe(200);
      const atLoss = hammer.right;
      await waitFor('answers with one thread or with the next one', () => (hammer.right > atLoss ? true : null));
      await waitFor('the next thread', () =>
        daemon.publisher.threads.filter(({ isFilled }) => isFilled).length === 2 ? true : null,
      );
    }
    await hammer.stop();
    expect(hammer.wrong).toEqual([]);
    expect(await (await fetch(`${endpoint}/readyz`)).json()).toEqual(ready);
    // Connections and ports of their own, so that both threads are asked.
    for (let i = 0; i < 8; i++) await expectAllAnswered(hammer.acknowledged);
  });
});
