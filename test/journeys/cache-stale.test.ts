/** Answers whose TTL is over, given while nobody can be asked (RFC 8767). */
import { describe, expect, it } from 'vitest';
import { type Behaviour, NEVER, type ReplySpec, replyTo } from '../support/fake-upstream.ts';
import { errorCodeOf, shareForwarding } from '../support/forwarding.ts';
import { waitFor } from '../support/journey-tools.ts';
import type { Reply } from '../support/message.ts';

const replying =
  (spec: ReplySpec): Behaviour =>
  (query) => [replyTo(query, spec)];
const OLD = replying({ answer: ['@ 1 IN A 192.0.2.1'] });
const NEW = replying({ answer: ['@ 100 IN A 192.0.2.2'] });
const SILENT: Behaviour = () => NEVER;
const SOA = 'example. 1 IN SOA ns.example. host.example. 7 3600 600 86400 1';

describe('an answer whose TTL is over', () => {
  const forwarding = shareForwarding();
  const ask = (name: string): Promise<Reply> => forwarding().ask(`${name} A`, { opt: {} });
  /** Asks until the answer comes with an extended error. */
  const untilStale = (name: string): Promise<Reply> =>
    waitFor('a stale answer', async () => {
      const reply = await ask(name);
      return errorCodeOf(reply) === null ? null : reply;
    });

  it.each<[string, Behaviour]>([
    ['is silent', SILENT],
    ['fails', replying({ rcode: 'SERVFAIL', records: 0 })],
    ['refuses', replying({ rcode: 'REFUSED', records: 0 })],
    ['sends garbage', (query) => [Buffer.concat([query.subarray(0, 2), Buffer.alloc(60, 0xff)])]],
  ])('is given where the upstream %s, for 30 seconds and with the error that says so', async (way, behaviour) => {
    const { upstream } = forwarding();
    const name = `${way.replace(' ', '-')}.stale.example`;
    upstream.behaviour = OLD;
    expect((await ask(name)).answer).toEqual([`${name}. 1 IN A 192.0.2.1`]);
    upstream.behaviour = behaviour;
    const stale = await untilStale(name);
    expect(stale).toMatchObject({ status: 'NOERROR RD RA', answer: [`${name}. 30 IN A 192.0.2.1`] });
    expect(errorCodeOf(stale)).toBe(3);
    expect(upstream.timesAsked(name)).toBeGreaterThan(1);
  });

  it('gives way to the answer that is new when the upstream is back', async () => {
    const name = 'back.stale.example';
    forwarding().upstream.behaviour = OLD;
    await ask(name);
    forwarding().upstream.behaviour = SILENT;
    await untilStale(name);
    forwarding().upstream.behaviour = NEW;
    const fresh = await waitFor('the answer that is new', async () => {
      const reply = await ask(name);
      return errorCodeOf(reply) === null ? reply : null;
    });
    expect(fresh.answer.map((record) => record.replace(/ \d+ /, ' '))).toEqual([`${name}. IN A 192.0.2.2`]);
  });

  it('that said NXDOMAIN is given with the error for that', async () => {
    const name = 'gone.stale.example';
    forwarding().upstream.behaviour = replying({ rcode: 'NXDOMAIN', answer: [], authority: [SOA] });
    expect((await ask(name)).status).toBe('NXDOMAIN RD RA');
    forwarding().upstream.behaviour = SILENT;
    const stale = await untilStale(name);
    expect(stale).toMatchObject({ status: 'NXDOMAIN RD RA', answer: [] });
    expect(errorCodeOf(stale)).toBe(19);
  });

  it('gives way to NXDOMAIN', async () => {
    const name = 'removed.stale.example';
    forwarding().upstream.behaviour = OLD;
    await ask(name);
    forwarding().upstream.behaviour = replying({ rcode: 'NXDOMAIN', answer: [], authority: [SOA] });
    const reply = await waitFor('the TTL’s end', async () => {
      const last = await ask(name);
      return last.answer.length === 0 ? last : null;
    });
    expect(reply.status).toBe('NXDOMAIN RD RA');
    expect(errorCodeOf(reply)).toBeNull();
  });

  it('comes without the error to a client without EDNS, and over TCP as well', async () => {
    const name = 'plain.stale.example';
    forwarding().upstream.behaviour = OLD;
    await ask(name);
    forwarding().upstream.behaviour = SILENT;
    await untilStale(name);
    const plain = await forwarding().ask(`${name} A`);
    expect(plain).toMatchObject({ status: 'NOERROR RD RA', answer: [`${name}. 30 IN A 192.0.2.1`], opt: null });
    const overTcp = await forwarding().ask(`${name} A`, { opt: {}, overTcp: true });
    expect(overTcp.answer).toEqual([`${name}. 30 IN A 192.0.2.1`]);
    expect(errorCodeOf(overTcp)).toBe(3);
  });

  it('helps no name that was never answered', async () => {
    forwarding().upstream.behaviour = SILENT;
    const reply = await ask('never.stale.example');
    expect(reply).toMatchObject({ status: 'SERVFAIL RD RA', answer: [] });
    expect(errorCodeOf(reply)).toBe(22);
  });
});

describe('CLOUDMAPD_CACHE_STALE_SECONDS=0', () => {
  const forwarding = shareForwarding({
    settings: () => ({ CACHE_STALE_SECONDS: '0' }),
  });

  it('makes SERVFAIL of what would be stale', async () => {
    const ask = (): Promise<Reply> => forwarding().ask('www.example A', { opt: {} });
    forwarding().upstream.behaviour = OLD;
    expect((await ask()).answer).toHaveLength(1);
    forwarding().upstream.behaviour = replying({ rcode: 'SERVFAIL', records: 0 });
    const reply = await waitFor('the TTL’s end', async () => {
      const last = await ask();
      return last.answer.length === 0 ? last : null;
    });
    expect(reply.status).toBe('SERVFAIL RD RA');
  });
});
