/**
 * EDNS is of each hop (RFC 6891 s6.1.1): what of a client's query an upstream gets to see, and what of the upstream's
 * reply the client; any type goes through.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { type Asked, readAsked } from '../support/asked.ts';
import { type ReplySpec, replyTo } from '../support/fake-upstream.ts';
import { type AskOptions, shareForwarding } from '../support/forwarding.ts';
import { type OptSpec, optionBytes, type Reply } from '../support/message.ts';

const forwarding = shareForwarding();
const DO = 0x8000;
/** RFC 7871 s6: family 1, source prefix 24, scope 0, 192.0.2.0. */
const ECS = [0, 1, 24, 0, 192, 0, 2];
const SCOPED = [0, 1, 24, 20, 192, 0, 2];
const hexOf = (octets: readonly number[]): string => Buffer.from(octets).toString('hex');

let names = 0;
let name: string;
/** What is cached for one test is nothing to the next. */
beforeEach(() => {
  name = `n${names++}.edns.example`;
});

/** What the upstream was asked, over UDP: once, or again where this process slept meanwhile. */
async function askedFor(options: AskOptions): Promise<Asked> {
  await forwarding().ask(`${name} A`, options);
  const { seen } = forwarding().upstream;
  expect(new Set(seen.map(({ overTcp }) => overTcp))).toEqual(new Set([false]));
  return readAsked((seen[0] as { query: Buffer }).query);
}

describe('an upstream is asked', () => {
  const PLAIN = { flags: 'RD', opt: 'EDNS 0; udp 1232', options: {} };
  it.each<[string, AskOptions, Partial<Asked>]>([
    ['with EDNS of ours where the client has none', {}, {}],
    ['with our size, whatever the client’s: 4096', { opt: { size: 4096 } }, {}],
    ['with our size, whatever the client’s: 512', { opt: { size: 512 } }, {}],
    ['with DO where the client sets it', { opt: { flags: DO } }, { opt: 'EDNS 0 DO; udp 1232' }],
    ['without the other flags of EDNS', { opt: { flags: 0x7fff } }, {}],
    ['with AD where the client sets it', { flags: 'RD AD' }, { flags: 'RD AD' }],
    ['with CD where the client sets it', { flags: 'RD CD' }, { flags: 'RD CD' }],
    [
      'with AD, CD and DO together',
      { flags: 'RD AD CD', opt: { flags: DO } },
      { flags: 'RD AD CD', opt: 'EDNS 0 DO; udp 1232' },
    ],
    ['with the client’s subnet', { opt: { options: optionBytes(8, ECS) } }, { options: { 8: hexOf(ECS) } }],
    ['without its cookie', { opt: { options: optionBytes(10, [1, 2, 3, 4, 5, 6, 7, 8]) } }, {}],
    ['without its wish for the server’s id', { opt: { options: optionBytes(3) } }, {}],
    ['without its keepalive', { opt: { options: optionBytes(11) }, overTcp: true }, {}],
    ['without its padding', { opt: { options: optionBytes(12, Array(100).fill(0)) } }, {}],
    ['without an option that nobody knows', { opt: { options: optionBytes(65_001, [1]) } }, {}],
    [
      'with the subnet alone, of many options',
      { opt: { options: [...optionBytes(3), ...optionBytes(8, ECS), ...optionBytes(12, [0, 0])] } },
      { options: { 8: hexOf(ECS) } },
    ],
  ])('%s', async (_, options, expected) => {
    const { flags, opt, options: sent } = await askedFor(options);
    expect({ flags, opt, options: sent }).toEqual({ ...PLAIN, ...expected });
  });
});

/** The client's reply where the upstream's is this. */
async function replyFor(spec: ReplySpec, options: AskOptions = {}): Promise<Reply> {
  forwarding().upstream.behaviour = (query, overTcp) =>
    overTcp || replyTo(query, spec).length <= 1232 ? [replyTo(query, spec)] : [replyTo(query, { truncated: true })];
  return forwarding().ask(`${name} A`, options);
}

describe('a client gets', () => {
  it.each<[string, AskOptions, string]>([
    ['AD where it asks with AD', { flags: 'RD AD' }, 'NOERROR RD RA AD'],
    ['AD where it asks with DO', { opt: { flags: DO } }, 'NOERROR RD RA AD'],
    ['no AD where it does not ask for it (RFC 6840 s5.8)', { opt: {} }, 'NOERROR RD RA'],
    ['CD where it sets it', { flags: 'RD CD' }, 'NOERROR RD RA CD'],
  ])('%s', async (_, options, status) => {
    expect((await replyFor({ authentic: true }, options)).status).toBe(status);
  });

  it('no AD that the upstream does not give', async () => {
    expect((await replyFor({}, { flags: 'RD AD' })).status).toBe('NOERROR RD RA');
  });

  it('RA and no AA, whatever the upstream has there', async () => {
    forwarding().upstream.behaviour = (query) => {
      const reply = replyTo(query);
      reply.writeUInt16BE((reply.readUInt16BE(2) | 0x0400) & ~0x0080, 2);
      return [reply];
    };
    expect((await forwarding().ask(`${name} A`)).status).toBe('NOERROR RD RA');
  });

  it.each<[string, OptSpec | null, string | null]>([
    ['no OPT where it has none', null, null],
    ['an OPT of ours where it has one', {}, 'EDNS 0; udp 1232'],
    ['DO where it sets it (RFC 3225 s3)', { flags: DO }, 'EDNS 0 DO; udp 1232'],
  ])('%s', async (_, opt, expected) => {
    const options = [...optionBytes(3, [1]), ...optionBytes(10, Array(16).fill(1)), ...optionBytes(12, [0])];
    expect((await replyFor({ opt: { size: 4096, options } }, { opt })).opt).toBe(expected);
    // An upstream without EDNS is nothing to the client.
    name = `plain.${name}`;
    expect((await replyFor({ opt: null }, { opt })).opt).toBe(expected);
  });

  it('the subnet that the answer is for, where it gave its own', async () => {
    const spec: ReplySpec = { opt: { options: optionBytes(8, SCOPED) } };
    const reply = await replyFor(spec, { opt: { options: optionBytes(8, ECS) } });
    expect(reply.opt).toBe('EDNS 0; udp 1232 +8');
    expect(hexOf([...reply.bytes])).toContain(hexOf(optionBytes(8, SCOPED)));
    name = `other.${name}`;
    expect((await replyFor(spec, { opt: {} })).opt).toBe('EDNS 0; udp 1232');
  });

  it('its question as it spelt it', async () => {
    const reply = await forwarding().ask('WwW.SpElT.eXaMpLe A');
    expect(Buffer.from(reply.question).toString('latin1')).toContain('WwW\x05SpElT\x07eXaMpLe');
    expect(reply.status).toBe('NOERROR RD RA');
  });
});

describe('a reply is fitted to the client', () => {
  const addresses = (count: number): string[] => Array.from({ length: count }, (_, i) => `@ 30 IN A 192.0.2.${i}`);
  /** Records of some 250 octets each. */
  const texts = (count: number): string[] =>
    Array.from({ length: count }, (_, i) => `t${i}.example. 30 IN TXT ${'x'.repeat(230)}`);
  const shown = (records: readonly string[]): string[] => records.map((record) => record.replace('@', `${name}.`));

  it('that takes 512 octets: TC, and the whole over TCP', async () => {
    const spec = { answer: addresses(60) };
    const overUdp = await replyFor(spec);
    expect(overUdp.bytes.length).toBeLessThanOrEqual(512);
    expect(overUdp.status).toBe('NOERROR TC RD RA');
    const overTcp = await replyFor(spec, { overTcp: true });
    expect(overTcp).toMatchObject({ status: 'NOERROR RD RA', answer: shown(spec.answer) });
  });

  it('that takes 1232 octets: the same reply whole, without TC', async () => {
    const spec = { answer: addresses(60) };
    const reply = await replyFor(spec, { opt: { size: 1232 } });
    expect(reply).toMatchObject({ status: 'NOERROR RD RA', answer: shown(spec.answer), opt: 'EDNS 0; udp 1232' });
  });

  it('that takes more than we send over UDP: TC from 1232 octets on', async () => {
    const spec = { answer: addresses(120) };
    const overUdp = await replyFor(spec, { opt: { size: 4096 } });
    expect(overUdp.bytes.length).toBeLessThanOrEqual(1232);
    expect(overUdp.status).toBe('NOERROR TC RD RA');
    const overTcp = await replyFor(spec, { opt: { size: 4096 }, overTcp: true });
    expect(overTcp).toMatchObject({ status: 'NOERROR RD RA', answer: shown(spec.answer) });
  });

  it('without the additional section where that alone is too long, and without TC (RFC 2181 s9)', async () => {
    const spec = { answer: addresses(10), additional: texts(3) };
    expect(await replyFor(spec)).toMatchObject({
      status: 'NOERROR RD RA',
      answer: shown(spec.answer),
      additional: [],
    });
    name = `roomy.${name}`;
    expect((await replyFor(spec, { opt: { size: 1232 } })).additional).toHaveLength(3);
  });

  it('with the answer whole where the sections behind it are there for help alone', async () => {
    const spec = { answer: addresses(10), authority: ['example. 30 IN NS ns.example.'], additional: texts(4) };
    const reply = await replyFor(spec);
    expect(reply.bytes.length).toBeLessThanOrEqual(512);
    expect(reply).toMatchObject({ status: 'NOERROR RD RA', answer: shown(spec.answer), additional: [] });
  });

  it('the 65,535 octets of a reply over TCP too', async () => {
    const answer = Array.from({ length: 250 }, (_, i) => `@ 30 IN TXT ${String(i).padStart(245, '-')}`);
    const reply = await replyFor({ answer }, { overTcp: true, opt: {} });
    expect(reply.bytes.length).toBeGreaterThan(64_000);
    expect(reply.answer).toHaveLength(250);
  });
});

describe('a question', () => {
  it.each([
    ['of a type without a name', 'TYPE12345', String.raw`\# 4 0102fffe`],
    ['for HTTPS', 'TYPE65', String.raw`\# 3 000100`],
    ['for the addresses of the newer kind', 'AAAA', '2001:db8::7'],
    ['for MX', 'MX', String.raw`\# 10 000a026d78036e657400`],
  ])('%s is forwarded as it is, and so is the answer', async (_, type, rdata) => {
    forwarding().upstream.behaviour = (query) => [replyTo(query, { answer: [`@ 30 IN ${type} ${rdata}`] })];
    const reply = await forwarding().ask(`${name} ${type}`, { opt: {} });
    expect(reply.status).toBe('NOERROR RD RA');
    expect(reply.answer.map((record) => record.replace(/ (HTTPS|TYPE65) /, ' TYPE65 '))).toEqual([
      `${name}. 30 IN ${type} ${rdata}`,
    ]);
    expect(readAsked((forwarding().upstream.seen[0] as { query: Buffer }).query).question).toMatch(`${name} `);
  });

  it('for ANY is forwarded', async () => {
    const answer = ['@ 30 IN A 192.0.2.1', String.raw`@ 30 IN TYPE999 \# 1 07`];
    forwarding().upstream.behaviour = (query) => [replyTo(query, { answer })];
    const reply = await forwarding().ask(`${name} ANY`);
    expect(reply.answer).toEqual(answer.map((record) => record.replace('@', `${name}.`)));
  });

  it.each(['CH', 'HS', 'CLASS7'])('of class %s is refused', async (qclass) => {
    expect((await forwarding().ask(`version.bind TXT ${qclass}`)).status).toMatch(/^REFUSED /);
    expect(forwarding().upstream.seen).toEqual([]);
  });

  it('of the root is forwarded', async () => {
    forwarding().upstream.behaviour = (query) => [replyTo(query, { answer: ['@ 30 IN NS a.root.example.'] })];
    expect((await forwarding().ask('. NS')).answer).toEqual(['. 30 IN NS a.root.example.']);
  });
});
