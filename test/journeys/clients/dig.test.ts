/** dig, with the flags that change what it sends; any complaint of its about a reply fails the test. */
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Api } from '../../support/journey-api.ts';
import { requireTool, runDig, shareDaemon } from '../../support/journey-tools.ts';
import { BIG_SRV, BIG_SRV_RECORDS, CASES, CHAIN, CHAIN_ADDRESSES, type Outcome, registerContent } from './content.ts';

const daemon = shareDaemon({ settings: { STORE: 'memory' } });

beforeAll(() => registerContent(new Api(daemon().endpoint)));
beforeEach((context) => requireTool(context, 'dig'));

const dig = (...args: string[]): Promise<string> => runDig(daemon().dnsPort, args);

/** The RDATA of the section's records of the type, in order. */
function recordsOf(output: string, section: 'ANSWER' | 'AUTHORITY' | 'ADDITIONAL', type: string): string[] {
  const text = new RegExp(`;; ${section} SECTION:\n(.*?)\n(\n|;;|$)`, 's').exec(output)?.[1] ?? '';
  const records = text.split('\n').map((line) => line.split(/\s+/));
  return records
    .filter((fields) => fields[3] === type)
    .map((fields) => fields.slice(4).join(' '))
    .sort();
}

async function outcomeOf(name: string, type: string, flags: readonly string[]): Promise<Outcome> {
  const output = await dig(name, type, ...flags);
  const status = /status: (\w+)/.exec(output)?.[1] as string;
  expect(output, `${name} ${type}`).toMatch(/flags: qr aa[ ;]/);
  const records = recordsOf(output, 'ANSWER', type);
  if (records.length > 0) return records;
  // Both negative answers are kept for as long as the SOA says.
  const soa = 'ns.corp.internal. hostmaster.corp.internal.';
  expect(recordsOf(output, 'AUTHORITY', 'SOA')).toEqual([expect.stringContaining(soa)]);
  return status === 'NOERROR' ? 'NODATA' : (status as Outcome);
}

describe.each([
  [[]],
  [['+tcp']],
  [['+noedns']],
  [['+noedns', '+tcp']],
  [['+bufsize=512']],
  [['+bufsize=1232']],
  [['+bufsize=4096', '+dnssec']],
  [['+nocookie']],
  [['+nsid', '+subnet=192.0.2.0/24', '+padding=64']],
  [['+ednsflags=0x40']],
  [['+norec', '+cdflag', '+adflag']],
])('with %j', (flags) => {
  it('has of each name what there is', async () => {
    const outcomes = await Promise.all(CASES.map(([name, type]) => outcomeOf(name, type, flags)));
    const seen = CASES.map(([name, type], i) => [name, type, outcomes[i]]);
    expect(seen).toEqual(CASES);
  });

  it('has by TCP what UDP has no room for', async () => {
    expect(await outcomeOf(BIG_SRV, 'SRV', flags)).toEqual(BIG_SRV_RECORDS);
    for (const type of ['A', 'AAAA'] as const) {
      expect(await outcomeOf(CHAIN, type, flags)).toEqual(CHAIN_ADDRESSES[type]);
    }
  });
});

it('has the addresses of SRV targets in the additional section', async () => {
  const output = await dig('_db._tcp.corp.internal', 'SRV');
  expect(recordsOf(output, 'ADDITIONAL', 'A')).toEqual(['10.0.4.1', '10.0.4.2', '10.0.4.3']);
  expect(recordsOf(output, 'ADDITIONAL', 'AAAA')).toEqual(['fd00::4:1', 'fd00::4:2', 'fd00::4:3']);
});

it('has the records of a CNAME and of what it leads to in order', async () => {
  const output = await dig('shop.corp.internal', 'A', '+noall', '+answer');
  const lines = output.split('\n').filter((line) => /^\w/.test(line));
  expect(lines.map((line) => line.split(/\s+/).join(' '))).toEqual([
    'shop.corp.internal. 60 IN CNAME web.corp.internal.',
    'web.corp.internal. 60 IN A 10.0.0.7',
  ]);
});

it('sees its own case of the name', async () => {
  const output = await dig('sHoP.CoRp.InTeRnAl', 'A');
  expect(output).toMatch(/^;sHoP\.CoRp\.InTeRnAl\.\s+IN\s+A$/m);
  expect(output).toMatch(/^sHoP\.CoRp\.InTeRnAl\.\s+60\s+IN\s+CNAME\s+web\.corp\.internal\.$/m);
});

it('asks several questions on one connection', async () => {
  const output = await dig(
    '+tcp',
    '+keepopen',
    'web.corp.internal',
    'A',
    'eight.corp.internal',
    'A',
    'none.corp.internal',
  );
  expect(output.match(/status: \w+/g)).toEqual(['status: NOERROR', 'status: NOERROR', 'status: NXDOMAIN']);
  expect(output.match(/\sIN\s+A\s+10\./g)).toHaveLength(9);
});
