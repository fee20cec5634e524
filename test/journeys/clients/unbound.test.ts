/** unbound with our namespace as a stub zone: what its own clients get, and that it finds nothing to throw away. */
import { CreatePrivateDnsNamespaceCommand } from '@aws-sdk/client-servicediscovery';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Answer, dig } from '../../support/dns.ts';
import { Api } from '../../support/journey-api.ts';
import { requireTool, setUpJourney, shareDaemon, waitFor } from '../../support/journey-tools.ts';
import { BIG_SRV, BIG_SRV_RECORDS, CASES, CHAIN, CHAIN_ADDRESSES, type Outcome, registerContent } from './content.ts';
import { freePort, type RunningServer, startServer } from './programs.ts';

const daemon = shareDaemon({ settings: { STORE: 'memory', SOA_TTL: '1' } });
const journey = setUpJourney();
let api: Api;
let namespaceId: string;
let unbound: RunningServer;
let port: number;

beforeAll(async () => {
  api = new Api(daemon().endpoint);
  namespaceId = await registerContent(api);
});
beforeEach((context) => requireTool(context, 'unbound'));
afterEach(() => unbound?.stop());

async function startUnbound(settings: readonly string[] = []): Promise<void> {
  port = await freePort();
  const config = journey.writeFile(
    'unbound.conf',
    `server:
  interface: 127.0.0.1
  port: ${port}
  do-daemonize: no
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  logfile: ""
  # Tells what it makes of each reply.
  verbosity: 3
  num-threads: 1
  do-not-query-localhost: no
  domain-insecure: "internal"
  local-zone: "internal." nodefault
${settings.map((setting) => `  ${setting}\n`).join('')}
stub-zone:
  name: "corp.internal"
  stub-addr: 127.0.0.1@${daemon().dnsPort}
stub-zone:
  name: "slow.internal"
  stub-addr: 127.0.0.1@${daemon().dnsPort}
remote-control:
  control-enable: no
`,
  );
  unbound = startServer('unbound', ['-d', '-c', config]);
  await unbound.until('its start', () => unbound.output().includes('start of service'));
}

async function ask(name: string, type: string): Promise<Answer> {
  return dig(port, name, type, { rd: true, edns: 4096 });
}

function outcomeOf({ rcode, answer }: Answer, type: string): Outcome {
  const records = answer.map((record) => record.split(' ')).filter((fields) => fields[3] === type);
  if (records.length > 0) return records.map((fields) => fields.slice(4).join(' ')).sort();
  return rcode === 'NOERROR' ? 'NODATA' : (rcode as Outcome);
}

/** What it took our replies for, each once. A reply that it cannot use is THROWAWAY, LAME or RECURSION LAME. */
function verdicts(): string[] {
  const found = unbound.output().matchAll(/query response was (.+)/g);
  return [...new Set([...found].map(([, verdict]) => verdict as string))].sort();
}

/** Lines that tell of something wrong. Of a chain it takes the first CNAME and asks for the target by itself. */
function complaints(): string[] {
  const lines = unbound.output().split('\n');
  const found = lines.filter((line) => /sanitize|capsforid|SERVFAIL|FORMERR|error|malformed|mismatch/i.test(line));
  return found.filter((line) => !line.includes('sanitize: removing extraneous answer RRset'));
}

const STRICT = [
  'qname-minimisation: yes',
  'qname-minimisation-strict: yes',
  'use-caps-for-id: yes',
  'harden-short-bufsize: yes',
  'harden-large-queries: yes',
  'harden-glue: yes',
  'harden-dnssec-stripped: yes',
  'harden-below-nxdomain: yes',
  'harden-referral-path: yes',
  'harden-algo-downgrade: yes',
  'aggressive-nsec: yes',
];

describe.each([
  ['as it comes', []],
  ['without validation', ['module-config: "iterator"']],
  ['with the strictest settings', STRICT],
  ['over TCP', ['tcp-upstream: yes']],
  ['with a small buffer', ['edns-buffer-size: 512', 'max-udp-size: 4096']],
  ['with minimised names and nothing else', ['module-config: "iterator"', ...STRICT.slice(0, 2)]],
] as const)('unbound %s', (_name, settings) => {
  it('has of each name what there is', async () => {
    await startUnbound(settings);
    const seen: (readonly [string, string, Outcome])[] = [];
    for (const [name, type] of CASES) seen.push([name, type, outcomeOf(await ask(name, type), type)]);
    expect(seen).toEqual(CASES);
    expect(outcomeOf(await ask(CHAIN, 'A'), 'A')).toEqual(CHAIN_ADDRESSES.A);
    expect(outcomeOf(await ask(CHAIN, 'AAAA'), 'AAAA')).toEqual(CHAIN_ADDRESSES.AAAA);
    expect(outcomeOf(await ask(BIG_SRV, 'SRV'), 'SRV')).toEqual(BIG_SRV_RECORDS);
    expect(verdicts()).toEqual(['ANSWER', 'CNAME', 'NXDOMAIN ANSWER', 'nodata ANSWER']);
    expect(complaints()).toEqual([]);
  });
});

describe('what it keeps', () => {
  it('is of a name without records for as long as the SOA says', async () => {
    const { OperationId } = await api.sdk.send(
      new CreatePrivateDnsNamespaceCommand({
        Name: 'slow.internal',
        Vpc: 'vpc-1',
        Properties: { DnsProperties: { SOA: { TTL: 300 } } },
      }),
    );
    const slow = (await api.operation(OperationId)).Targets?.NAMESPACE as string;
    const service = await api.createService(slow, 'late');
    await startUnbound();
    const none = { rcode: 'NXDOMAIN', authority: [expect.stringMatching(/^slow\.internal\. (300|2\d\d) IN SOA /)] };
    expect(await ask('late.slow.internal', 'A')).toMatchObject(none);
    await api.register(service, '1', { AWS_INSTANCE_IPV4: '10.0.9.1' });
    expect((await dig(daemon().dnsPort, 'late.slow.internal', 'A')).rcode).toBe('NOERROR');
    // Not asked of us again.
    expect(await ask('late.slow.internal', 'A')).toMatchObject(none);
  });

  it('is renewed when its TTL ends, after register and after deregister', async () => {
    const service = await api.createService(namespaceId, 'late', { records: [['A', 1]] });
    await startUnbound();
    const name = 'late.corp.internal';
    const becomes = (outcome: Outcome): Promise<true> =>
      waitFor(`${name} to be ${outcome}`, async () => {
        const seen = outcomeOf(await ask(name, 'A'), 'A');
        return `${seen}` === `${outcome}` ? true : null;
      });
    await becomes('NXDOMAIN');
    await api.register(service, '1', { AWS_INSTANCE_IPV4: '10.0.9.1' });
    await becomes(['10.0.9.1']);
    await api.deregister(service, '1');
    await becomes('NXDOMAIN');
  });
});
