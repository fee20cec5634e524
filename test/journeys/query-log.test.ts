/** The query log on stderr. */
import { describe, expect, it } from 'vitest';
import { askTcp, askUdp, buildQuery } from '../support/dns.ts';
import { setUpJourney, waitFor } from '../support/journey-tools.ts';

const journey = setUpJourney();

const linesOf = (stderr: string): Record<string, unknown>[] =>
  stderr
    .split('\n')
    .filter((line) => line.includes('"outcome"'))
    .map((line) => JSON.parse(line));

describe('CLOUDMAPD_QUERY_LOG', () => {
  it('is off where nothing is said', async () => {
    const daemon = await journey.start({ settings: { STORE: 'memory' } });
    await askUdp(daemon.dnsPort, buildQuery('web.example', 'A'));
    expect(await daemon.stop()).toBe(0);
    expect(daemon.stderr()).not.toContain('web.example');
  });

  it('all: has each query as a line of the log, whichever thread answered it', async () => {
    const daemon = await journey.start({ settings: { STORE: 'memory', QUERY_LOG: 'all', DNS_THREADS: '2' } });
    const names = Array.from({ length: 50 }, (_, i) => `web-${i}.example`);
    for (const name of names) await askUdp(daemon.dnsPort, buildQuery(name, 'A'));
    const lines = await waitFor('the lines', () => {
      const found = linesOf(daemon.stderr());
      return found.length >= names.length ? found : null;
    });
    expect(lines.map(({ name }) => name).sort()).toEqual(names.sort());
    expect(lines.find(({ name }) => name === 'web-7.example')).toMatchObject({
      level: 30,
      client: '127.0.0.1',
      transport: 'udp',
      type: 'A',
      rcode: 'REFUSED',
      outcome: 'refused',
      answers: [],
      msg: expect.stringMatching(/^127\.0\.0\.1 asked web-7\.example A: REFUSED \(refused, [\d.]+ µs\)$/),
    });
  });

  it('1/10: has a tenth of them, as chance has it', async () => {
    const daemon = await journey.start({ settings: { STORE: 'memory', QUERY_LOG: '1/10' } });
    // Some at a time, so that none is too much at once.
    for (let i = 0; i < 20; i++) {
      await askTcp(
        daemon.dnsPort,
        Array.from({ length: 100 }, (_, n) => buildQuery(`x${n}.example`, n % 2 ? 'A' : 'AAAA')),
      );
    }
    await askTcp(daemon.dnsPort, [buildQuery('x.example', 'A')]);
    expect(await daemon.stop()).toBe(0);
    const lines = linesOf(daemon.stderr());
    // 2,000 times a chance of a tenth: 200, and six of its deviations (13.4) to either side.
    expect(Math.abs(lines.length - 200)).toBeLessThan(81);
    // Of types that take turns each has its part.
    expect(lines.filter(({ type }) => type === 'A').length).toBeGreaterThan(40);
    expect(lines.filter(({ type }) => type === 'AAAA').length).toBeGreaterThan(40);
  });
});
