/** Which of several upstreams is asked: the one that answers and answers fast; those that failed are tried again. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildQuery, readAnswer } from '../support/dns.ts';
import { type Behaviour, NEVER, questionOf, replyTo } from '../support/fake-upstream.ts';
import { shareForwarding } from '../support/forwarding.ts';
import { waitFor } from '../support/journey-tools.ts';

const answering =
  (address: string): Behaviour =>
  (query) => [replyTo(query, { answer: [`@ 30 IN A ${address}`] })];
/** As one that is far away. */
const distant =
  (address: string, afterMs: number): Behaviour =>
  (query) =>
    new Promise((resolve) =>
      setTimeout(() => resolve([replyTo(query, { answer: [`@ 30 IN A ${address}`] })]), afterMs),
    );
const SILENT: Behaviour = () => NEVER;
const [FIRST, SECOND] = ['192.0.2.1', '192.0.2.2'];

describe('of two upstreams', () => {
  const forwarding = shareForwarding({ behaviours: [distant(FIRST, 60), answering(SECOND)] });
  let names = 0;
  /** Who has answered for a name that was never asked for; null: nobody. */
  const whoAnswers = async (): Promise<string | null> => {
    const { answer } = await forwarding().ask(`n${names++}.example A`);
    return answer[0]?.split(' ')[4] ?? null;
  };

  it('the faster one is asked, wherever it stands, and the other one now and then', async () => {
    const answered: (string | null)[] = [];
    for (let i = 0; i < 50; i++) answered.push(await whoAnswers());
    expect(answered.filter((who) => who === SECOND).length).toBeGreaterThan(40);
    expect(forwarding().upstreams[0]?.seen.length).toBeLessThan(10);
  });

  it('the one that answers is asked where the faster one has died, which costs few queries, and that one again when it is back', async () => {
    const [first, second] = forwarding().upstreams;
    if (first === undefined || second === undefined) throw new Error('two upstreams are expected');
    second.behaviour = SILENT;
    for (let i = 0; i < 30; i++) expect(await whoAnswers()).toBe(FIRST);
    // It is tried beside the other one, ever less often.
    expect(second.seen.length).toBeLessThan(15);
    second.behaviour = answering(SECOND);
    await waitFor('the faster one', async () => ((await whoAnswers()) === SECOND ? true : null));
  });

  it('both are tried though both have failed, and whoever is back first is heard', async () => {
    for (const back of [0, 1]) {
      for (const upstream of forwarding().upstreams) upstream.behaviour = SILENT;
      // Until both have been found dead.
      expect(await whoAnswers()).toBeNull();
      const upstream = forwarding().upstreams[back];
      if (upstream === undefined) throw new Error('two upstreams are expected');
      upstream.behaviour = answering(SECOND);
      expect(await whoAnswers()).toBe(SECOND);
    }
  });
});

describe('beside an upstream that is known to be down', () => {
  const FAILING: Behaviour = (query, overTcp, seen) =>
    questionOf(query).name.startsWith('bad')
      ? [replyTo(query, { rcode: 'SERVFAIL', records: 0 })]
      : answering(FIRST)(query, overTcp, seen);
  const forwarding = shareForwarding({ behaviours: [FAILING, SILENT] });
  const statusOf = async (name: string): Promise<string> => (await forwarding().ask(`${name}.example A`)).status;

  beforeAll(async () => {
    // Until it is known to be down.
    for (let i = 0; i < 5; i++) await statusOf(`first${i}`);
    await statusOf('bad-first');
  });

  it('a name that the live one fails at is SERVFAIL without its being asked', async () => {
    const [, silent] = forwarding().upstreams;
    for (let i = 0; i < 20; i++) {
      expect(await statusOf(`bad${i}`)).toBe('SERVFAIL RD RA');
      // One that failed at several in a row would be taken for ill itself.
      expect(await statusOf(`good${i}`)).toBe('NOERROR RD RA');
    }
    // Now and then it is tried beside the live one, whatever the name.
    const asked = Array.from({ length: 20 }, (_, i) => silent?.timesAsked(`bad${i}.example`) ?? 0);
    expect(asked.filter((times) => times > 0).length).toBeLessThan(8);
  });

  it('and without its being waited for, though the live one fails at all', async () => {
    for (let i = 100; i < 110; i++) {
      const startedAtMs = performance.now();
      expect(await statusOf(`bad${i}`)).toBe('SERVFAIL RD RA');
      // One is waited for 0.9 s and asked once more.
      expect(performance.now() - startedAtMs).toBeLessThan(900);
    }
  });
});

describe('an upstream that is silent', () => {
  const CONTENT = {
    namespaces: [
      {
        name: 'own.internal',
        type: 'DNS_PRIVATE',
        services: [
          {
            name: 'web',
            dns: { records: [{ type: 'A', ttl: 10 }] },
            instances: [{ id: 'web-1', attributes: { AWS_INSTANCE_IPV4: '10.0.0.7' } }],
          },
        ],
      },
    ],
  };
  const forwarding = shareForwarding({ behaviours: [SILENT], file: () => JSON.stringify(CONTENT) });

  it('holds up neither our own names nor, once it is back, any other, however many clients wait', async () => {
    const { daemon, upstream, ask } = forwarding();
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const rcodes = new Set<string>();
    let replies = 0;
    socket.on('message', (reply) => {
      rcodes.add(readAnswer(reply).rcode);
      replies++;
    });
    for (let id = 0; id < 6000; id++) {
      const query = buildQuery(`waiting${id}.example`, 'A', { id, rd: true });
      await new Promise((resolve) => socket.send(query, daemon.dnsPort, '127.0.0.1', resolve));
      if (id % 1000 === 999) {
        // Over TCP: of so many datagrams at once some are lost on the way.
        expect((await ask('web.own.internal A', { overTcp: true })).answer).toEqual([
          'web.own.internal. 10 IN A 10.0.0.7',
        ]);
      }
    }
    await waitFor('the first replies', () => (replies > 1000 ? true : null));
    expect([...rcodes]).toEqual(['SERVFAIL']);
    socket.close();
    upstream.behaviour = answering(FIRST);
    await waitFor('an answer', async () =>
      (await ask(`later${upstream.seen.length}.example A`)).answer.length === 1 ? true : null,
    );
  });
});
