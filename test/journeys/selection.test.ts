/** Which records an answer carries, over real sockets (Cloud Map: RoutingPolicy). */
import { createSocket, type Socket } from 'node:dgram';
import { describe, expect, it } from 'vitest';
import { buildQuery, readAnswer } from '../support/dns.ts';
import { setUpJourney } from '../support/journey-tools.ts';

const journey = setUpJourney();

const CONTENT = `namespaces:
  - name: corp.internal
    type: DNS_PRIVATE
    services:
${['MULTIVALUE', 'WEIGHTED']
  .map(
    (policy) => `      - name: ${policy.toLowerCase()}
        dns: { routingPolicy: ${policy}, records: [{ type: A, ttl: 10 }, { type: AAAA, ttl: 10 }] }
        instances:
${Array.from({ length: 12 }, (_, n) => `          - { id: i-${n}, attributes: { AWS_INSTANCE_IPV4: 10.0.0.${n}, AWS_INSTANCE_IPV6: "fd00::${n}" } }`).join('\n')}`,
  )
  .join('\n')}
`;

/** Asks the same question again and again, many at a time. @returns the answers in the order of the questions */
async function askMany(port: number, name: string, type: string, count: number): Promise<string[][]> {
  const socket: Socket = createSocket('udp4');
  const answers: string[][] = [];
  await new Promise<void>((resolve, reject) => {
    let sent = 0;
    let received = 0;
    const send = (): void => {
      if (sent < count) socket.send(buildQuery(name, type, { id: sent++ }), port, '127.0.0.1');
    };
    socket.once('error', reject);
    socket.on('message', (reply) => {
      const { answer } = readAnswer(reply);
      answers[reply.readUInt16BE(0)] = answer.map((record) => record.split(' ').at(-1) as string);
      if (++received === count) resolve();
      send();
    });
    // Fewer than a socket's buffer holds, so that none is lost.
    for (let i = 0; i < 32; i++) send();
  });
  socket.close();
  return answers;
}

function countOf(answers: readonly string[][], pick: (answer: string[]) => string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const address of answers.flatMap(pick)) counts.set(address, (counts.get(address) ?? 0) + 1);
  return counts;
}

const QUERIES = 10_000;

describe('over 10,000 queries', () => {
  it('MULTIVALUE mixes fairly, WEIGHTED is uniform, and A and AAAA are chosen apart', async () => {
    const { dnsPort } = await journey.start({
      settings: { CONFIG: journey.writeFile('zone.yaml', CONTENT), SEED: '7', STORE: 'memory' },
    });
    for (const type of ['A', 'AAAA']) {
      const many = await askMany(dnsPort, 'multivalue.corp.internal', type, QUERIES);
      for (const answer of many) expect(new Set(answer).size).toBe(8);
      const appearances = countOf(many, (answer) => answer);
      const first = countOf(many, ([address]) => [address as string]);
      expect(appearances.size).toBe(12);
      for (const [address, count] of appearances) {
        expect(count / (QUERIES * (8 / 12)), address).toBeGreaterThan(0.95);
        expect(count / (QUERIES * (8 / 12)), address).toBeLessThan(1.05);
        // Most clients take the first address: that one is drawn as fairly, within four deviations.
        expect(Math.abs((first.get(address) ?? 0) - QUERIES / 12)).toBeLessThan(4 * Math.sqrt(QUERIES / 12));
      }
    }
    const fours = await askMany(dnsPort, 'weighted.corp.internal', 'A', QUERIES);
    const sixes = await askMany(dnsPort, 'weighted.corp.internal', 'AAAA', QUERIES);
    for (const answers of [fours, sixes]) {
      for (const answer of answers) expect(answer).toHaveLength(1);
      const counts = countOf(answers, (answer) => answer);
      // Chi-squared with 11 degrees of freedom stays below 31.3 in 999 of 1,000 cases; the seed is fixed.
      const expected = QUERIES / 12;
      const chi = [...counts.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
      expect(counts.size).toBe(12);
      expect(chi).toBeLessThan(31.3);
    }
    const same = fours.filter(([four], n) => four?.split('.')[3] === sixes[n]?.[0]?.split('::')[1]).length;
    expect(same / QUERIES).toBeGreaterThan(0.06);
    expect(same / QUERIES).toBeLessThan(0.11);
  });
});

describe('CLOUDMAPD_SEED', () => {
  it('makes the sequence of answers the same from start to start, and another seed another one', async () => {
    const file = journey.writeFile('zone.yaml', CONTENT);
    const sequenceOf = async (seed: string): Promise<string> => {
      const daemon = await journey.start({ settings: { CONFIG: file, SEED: seed, STORE: 'memory' } });
      const answers: string[][] = [];
      // One at a time: many at a time may arrive in another order.
      for (let n = 0; n < 40; n++) answers.push(...(await askMany(daemon.dnsPort, 'multivalue.corp.internal', 'A', 1)));
      await daemon.stop();
      return JSON.stringify(answers);
    };
    const [one, again, other] = [await sequenceOf('1'), await sequenceOf('1'), await sequenceOf('2')];
    expect(again).toBe(one);
    expect(other).not.toBe(one);
  });
});
