/** `cloudmapd explain` as a person and as a script call it, and its text of the answer held against dig's own. */
import { describe, expect, it } from 'vitest';
import type { Explanation } from '../../src/synthesis/explanation.ts';
import { expectFailure, runCli, runWell } from '../support/cli.ts';
import { explain, stable } from '../support/explaining.ts';
import { type Behaviour, questionOf, replyTo } from '../support/fake-upstream.ts';
import { shareForwarding } from '../support/forwarding.ts';
import { requireTool, runCommand, runDig } from '../support/journey-tools.ts';

const FILE = `namespaces:
  - name: corp.internal
    type: DNS_PRIVATE
    services:
      - name: web
        dns: { routingPolicy: WEIGHTED, records: [{ type: A, ttl: 10 }] }
        healthCheckCustom: {}
        instances:
          - { id: web-1, attributes: { AWS_INSTANCE_IPV4: 10.0.0.1 } }
          - { id: web-2, attributes: { AWS_INSTANCE_IPV4: 10.0.0.2, AWS_INIT_HEALTH_STATUS: UNHEALTHY } }
      - name: sick
        dns: { routingPolicy: WEIGHTED, records: [{ type: A, ttl: 10 }] }
        healthCheckCustom: {}
        instances:
          - { id: sick-1, attributes: { AWS_INSTANCE_IPV4: 10.0.0.1, AWS_INIT_HEALTH_STATUS: UNHEALTHY } }
      - name: _db._tcp
        dns: { records: [{ type: SRV, ttl: 10 }] }
        instances:
          - { id: db-1, attributes: { AWS_INSTANCE_IPV4: 10.0.0.9, AWS_INSTANCE_IPV6: "fd00::9", AWS_INSTANCE_PORT: "5432" } }
      - name: link
        dns: { records: [{ type: CNAME, ttl: 10 }] }
        instances:
          - { id: l-1, attributes: { AWS_INSTANCE_CNAME: web.corp.internal } }
      - name: a-service-whose-name-is-longer-than-a-column
        dns: { records: [{ type: A, ttl: 100000000 }] }
        instances:
          - { id: l-1, attributes: { AWS_INSTANCE_IPV4: 10.0.0.1 } }
records:
  - { name: note.example, type: TXT, value: 'say "hi" \\ there' }
refuse: [ads.example]
`;

/** RDATA of each type, as octets. */
const RDATA: Readonly<Record<string, string>> = {
  aaaa: 'TYPE28 \\# 16 00000000000000000000ffff0a000001',
  mx: 'TYPE15 \\# 6 000a036d7800',
  naptr: 'TYPE35 \\# 14 000100020173035349500001610000'.replace(/00$/, ''),
  caa: 'TYPE257 \\# 11 0005697373756563612e78',
  ds: 'TYPE43 \\# 36 ec4508022bb183af5f22588179a53b0a98631fad1a292118aabbccddeeff001122334455',
  tlsa: `TYPE52 \\# 35 030101${'deadbeef'.repeat(8)}`,
  sshfp: 'TYPE44 \\# 22 040100112233445566778899aabbccddeeff00112233',
  https:
    'TYPE65 \\# 64 000100000100060268320268330003000201bb00040008c0000201c0000202000500030102030006001020010db8000000000000000000000001029a00026869',
  private: 'TYPE65280 \\# 3 c0ffee',
  long: `TYPE65280 \\# 64 ${'0123456789abcdef'.repeat(8)}`,
};
const knowing: Behaviour = (query) => {
  const { name } = questionOf(query);
  const rdata = RDATA[name.replace('.example', '')];
  return [replyTo(query, { answer: [rdata === undefined ? '@ 300 IN A 192.0.2.1' : `@ 300 IN ${rdata}`] })];
};

const forwarding = shareForwarding({ file: () => FILE, behaviours: [knowing] });
const endpoint = (): string => forwarding().daemon.endpoint;
const run = (...args: string[]): Promise<string> => runWell(['explain', ...args, '--endpoint', endpoint()]);

describe('cloudmapd explain', () => {
  it('prints sentences, the instances and what dig would print', async () => {
    const text = await run('web.corp.internal');
    const [sentences, table, ...dig] = text.split('\n\n');
    expect((sentences ?? '').split('\n').map(stable)).toEqual([
      'web.corp.internal A is answered with 10.0.0.1.',
      'It is the service web (srv-*) of the namespace corp.internal (ns-*).',
      '1 of its 2 instances is healthy, and that one alone can be answered.',
      'web-2 is left out: UNHEALTHY since it was registered, T ago.',
      'The TTL is 10 s, as the service says of A.',
      'The zone corp.internal is at serial N.',
    ]);
    expect(table?.replaceAll(/ \d+ s /g, ' T  ').split('\n')).toEqual([
      'INSTANCE  HEALTH     FOR  REASON      RECORD    ANSWERED',
      'web-1     HEALTHY    T   registered  10.0.0.1  yes',
      'web-2     UNHEALTHY  T   registered  10.0.0.2  no, unhealthy',
    ]);
    expect(dig.join('\n\n')).toContain('web.corp.internal.\t10\tIN\tA\t10.0.0.1\n');
  });

  it('prints a table for each name that a CNAME leads to', async () => {
    const parts = (await run('link.corp.internal', 'a')).split('\n\n').map((part) => part.split('\n')[0]);
    expect(parts.slice(1, 3)).toEqual(['link.corp.internal', 'web.corp.internal']);
  });

  it('--json prints what the daemon answers, and nothing else', async () => {
    const printed = JSON.parse(await run('web.corp.internal', 'AAAA', '--from', '10.7.7.7', '--json')) as Explanation;
    const said = await explain(endpoint(), 'web.corp.internal AAAA', '10.7.7.7');
    const constant = ({ question, rcode, outcome, names, dig }: Explanation): object => ({
      question,
      rcode,
      outcome,
      names,
      dig,
    });
    expect(constant(printed)).toEqual(constant(said));
    expect(printed.question).toEqual({ name: 'web.corp.internal', type: 'AAAA', from: '10.7.7.7', to: '127.0.0.1' });
  });

  it('finds the daemon by CLOUDMAPD_ENDPOINT, and ends with 0 whatever the answer is', async () => {
    const env = { CLOUDMAPD_ENDPOINT: `${endpoint()}/` };
    expect(await runWell(['explain', 'x.ads.example'], { env })).toMatch(/^x\.ads\.example A is REFUSED\.\n/);
    expect(await runWell(['explain', 'none.corp.internal'], { env })).toMatch(
      /^none\.corp\.internal A is answered with NXD/,
    );
  });

  it.each<[string, 1 | 2, string[], string[]]>([
    ['a name that is none', 2, ['a..b'], ['name: "a..b" is no domain name']],
    ['a type that is none', 2, ['a.b', 'AAAAA'], ['type: "AAAAA" is no type']],
    ['a client that is none', 2, ['a.b', '--from', 'me'], ['from: "me" is no IP address']],
    ['no name', 2, [], ["missing required argument 'name'"]],
    ['a flag that is none', 2, ['a.b', '--by', 'me'], ["unknown option '--by'"]],
  ])('ends at %s with %d', async (_what, code, args, parts) => {
    expectFailure(await runCli(['explain', ...args, '--endpoint', endpoint()]), code, ...parts);
  });

  it('colours on a terminal alone, and not where NO_COLOR says so', async (context) => {
    // Others have a `script` with other flags.
    if (process.platform !== 'linux') context.skip('there is no `script` of util-linux');
    const main = new URL('../../src/main.ts', import.meta.url).pathname;
    const onTerminal = async (...before: string[]): Promise<string> => {
      const command = [...before, process.execPath, main, 'explain', 'web.corp.internal', '--endpoint', endpoint()];
      const env = { PATH: process.env.PATH, HOME: process.env.HOME, TERM: 'xterm-256color' };
      return (await runCommand('script', ['-qec', command.join(' '), '/dev/null'], env)).stdout;
    };
    expect(await onTerminal()).toContain('\u001b[32mHEALTHY\u001b[39m');
    expect(await onTerminal('env', 'NO_COLOR=1')).not.toContain('\u001b');
    expect(await run('web.corp.internal')).not.toContain('\u001b');
  });
});

describe("dig's text", () => {
  /** From the header to the last record. */
  const body = (text: string): string =>
    text
      .slice(text.indexOf(';; ->>HEADER<<-'))
      .replace(/\n;; (Query time|MSG SIZE)[\s\S]*$/, '')
      .replace(/id: \d+/, 'id: N');

  it.for([
    'web.corp.internal A',
    'WEB.Corp.internal A',
    'web.corp.internal AAAA',
    '_db._tcp.corp.internal SRV',
    'link.corp.internal A',
    'none.corp.internal A',
    'corp.internal ANY',
    'sick.corp.internal A',
    'a-service-whose-name-is-longer-than-a-column.corp.internal A',
    'note.example TXT',
    'x.ads.example A',
    'some.test TYPE65280',
    'www.example A',
    ...Object.keys(RDATA).map((name) => `${name}.example ${RDATA[name]?.split(' ')[0]}`),
  ])('%s', async (question, context) => {
    requireTool(context, 'dig');
    const [name = '', type = ''] = question.split(' ');
    // Twice, for the TTL to be the cache's in both.
    await explain(endpoint(), question);
    const own = (await explain(endpoint(), question)).dig;
    const theirs = await runDig(forwarding().daemon.dnsPort, ['+nocookie', name, type]);
    expect(body(own)).toBe(body(theirs));
  });
});
