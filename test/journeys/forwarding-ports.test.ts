/**
 * What one who cannot see our queries would have to guess to forge a reply (RFC 5452): the source port, the ID and the
 * case of the question of each query. The margins are such that chance alone breaks one in less than a million runs.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { readAsked } from '../support/asked.ts';
import { ask, shareForwarding } from '../support/forwarding.ts';

const forwarding = shareForwarding();
const QUERIES = 2000;
/** Clients that ask at the same time. */
const CLIENTS = 40;

interface Sent {
  readonly port: number;
  readonly id: number;
  readonly qname: string;
}

/** So many queries by clients that each wait for their answers. @returns what the upstream saw, in its order */
async function forward(count: number, suffix: string): Promise<Sent[]> {
  const { upstream, daemon } = forwarding();
  upstream.seen.length = 0;
  let next = 0;
  const client = async (): Promise<void> => {
    while (next < count) {
      const reply = await ask(daemon.dnsPort, `n${next++}.${suffix} A`);
      if (!reply.status.startsWith('NOERROR')) throw new Error(`a reply of ${reply.status}`);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return upstream.seen.map(({ query, port }) => {
    const { id, qname } = readAsked(query);
    return { port, id, qname };
  });
}

/** The part of neighbours that ascend; of independent draws one half. */
function ascending(values: readonly number[]): number {
  let count = 0;
  for (let i = 1; i < values.length; i++) if ((values[i] as number) > (values[i - 1] as number)) count++;
  return count / (values.length - 1);
}

function countsOf<T>(values: readonly T[]): Map<T, number> {
  const counts = new Map<T, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

describe('2,000 queries', () => {
  let sent: Sent[];
  beforeAll(async () => {
    sent = await forward(QUERIES, 'unpredictable-name.example');
  });

  it('are 2,000 names for the upstream too, hardly one of them asked for twice', () => {
    expect(new Set(sent.map(({ qname }) => qname.toLowerCase())).size).toBe(QUERIES);
    expect(sent.length).toBeLessThan(1.2 * QUERIES);
  });

  it('come from at least 400 ports', () => {
    const ports = new Set(sent.map(({ port }) => port));
    expect(ports.size).toBeGreaterThanOrEqual(400);
    expect(Math.min(...ports)).toBeGreaterThanOrEqual(1024);
    expect(Math.max(...ports) - Math.min(...ports)).toBeGreaterThan(10_000);
  });

  it('take the ports in no order', () => {
    const ports = sent.map(({ port }) => port);
    expect(ascending(ports)).toBeGreaterThan(0.4);
    expect(ascending(ports)).toBeLessThan(0.6);
    // In turn, they would come back after the same number of queries each time.
    const last = new Map<number, number>();
    const gaps: number[] = [];
    for (const [i, port] of ports.entries()) {
      const before = last.get(port);
      if (before !== undefined) gaps.push(i - before);
      last.set(port, i);
    }
    if (gaps.length > 100) expect(Math.max(...countsOf(gaps).values())).toBeLessThan(gaps.length / 5);
  });

  it('have IDs from the whole range, in no order', () => {
    const ids = sent.map(({ id }) => id);
    // Of 2,000 draws from 65,536 some 1,970 differ.
    expect(new Set(ids).size).toBeGreaterThan(1900);
    expect(ascending(ids)).toBeGreaterThan(0.4);
    expect(ascending(ids)).toBeLessThan(0.6);
    // Sixteen buckets: chi-square of 15 degrees of freedom is over 60 once in some three million times.
    const counts = countsOf(ids.map((id) => id >> 12));
    const expected = ids.length / 16;
    let chiSquare = 0;
    for (let bucket = 0; bucket < 16; bucket++) chiSquare += ((counts.get(bucket) ?? 0) - expected) ** 2 / expected;
    expect(chiSquare).toBeLessThan(60);
    // Its low bits too.
    expect(new Set(ids.map((id) => id & 0xff)).size).toBeGreaterThan(240);
  });

  it('have the letters of their question in random case', () => {
    const letters = sent.flatMap(({ qname }) => qname.replaceAll(/[^A-Za-z]/g, '').split(''));
    const upper = letters.filter((letter) => letter < 'a').length / letters.length;
    expect(upper).toBeGreaterThan(0.4);
    expect(upper).toBeLessThan(0.6);
    // The 24 letters that all have behind their number: two thousand draws have hardly one in common.
    const patterns = new Set(sent.map(({ qname }) => qname.slice(-'unpredictable-name.example'.length)));
    expect(patterns.size).toBeGreaterThan(1900);
  });
});
