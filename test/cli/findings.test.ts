/** What `cloudmapd doctor` makes of machines that are not at hand: macOS, other machines, daemons that are not ready. */
import { describe, expect, it } from 'vitest';
import type { DnsReport } from '../../src/admin/dns.ts';
import type { DaemonFacts, Facts } from '../../src/cli/doctor/facts.ts';
import type { Finding } from '../../src/cli/doctor/finding.ts';
import { findingsOf } from '../../src/cli/doctor/findings.ts';
import type { Holder } from '../../src/cli/doctor/port-holders.ts';

const DNS: DnsReport = {
  listeners: ['127.0.0.1:1053'],
  skipped: [],
  sockets: 'plain',
  threads: 1,
  zones: ['demo.internal', 'shop.internal'],
  ownName: 'cloudmap',
  forwards: 'none',
  upstreams: [],
};
const LISTENER = { address: '127.0.0.1', port: 1053 };
const DAEMON: DaemonFacts = {
  info: { version: '0.1.0', pid: 4, store: 'sqlite', dataDir: '/var/lib/cloudmapd', file: '1:2' },
  notReady: '',
  dns: DNS,
  listeners: [{ endpoint: LISTENER, asked: LISTENER, udp: 'own', tcp: 'own' }],
};

function factsOf(facts: Partial<Facts>, daemon: Partial<DaemonFacts> = {}): Facts {
  return {
    platform: 'linux',
    endpoint: new URL('http://127.0.0.1:8053'),
    isLocal: true,
    daemon: { ...DAEMON, ...daemon },
    config: null,
    planned: { http: [{ address: '127.0.0.1', port: 8053 }], dns: [LISTENER] },
    holders: [],
    leastFreePort: 1024,
    nameservers: [],
    resolvedServers: [],
    hasNetworkManager: false,
    hostsOrder: 'files dns',
    resolverFiles: new Map(),
    prefix: { host: 'data-127.0.0.1', addresses: [], hostAddresses: ['127.0.0.1'], switchedOffBy: null },
    endpointAddresses: [{ address: '127.0.0.1', isReached: true }],
    ...facts,
  };
}

const of = (facts: Facts, check: Finding['check']): Finding[] =>
  findingsOf(facts).filter((each) => each.check === check);

describe('macOS', () => {
  const mac = { platform: 'darwin', holders: null } as const;
  const file = 'nameserver 127.0.0.1\nport 1053\n';

  it('is told a file for each namespace, and nothing of Linux', () => {
    const [finding] = of(factsOf(mac), 'names');
    expect(finding?.mend).toEqual([
      '# macOS: /etc/resolver',
      'sudo mkdir -p /etc/resolver',
      "printf 'nameserver 127.0.0.1\\nport 1053\\n' | sudo tee /etc/resolver/demo.internal",
      "printf 'nameserver 127.0.0.1\\nport 1053\\n' | sudo tee /etc/resolver/shop.internal",
    ]);
  });

  it('is in order once all are there, and not with some, or for another port', () => {
    const statusOf = (...files: [string, string][]): string | undefined =>
      of(factsOf({ ...mac, resolverFiles: new Map(files) }), 'names')[0]?.status;
    expect(statusOf(['demo.internal', file], ['shop.internal', file])).toBe('ok');
    expect(statusOf(['demo.internal', file])).toBe('note');
    expect(statusOf(['demo.internal', file], ['shop.internal', file.replace('1053', '53')])).toBe('note');
  });
});

describe('names', () => {
  it('that a shell or a file would read as more are left out of the lines', () => {
    const zones = ['demo.internal', "a'b$(x).internal"];
    const lines = of(factsOf({}, { dns: { ...DNS, zones } }), 'names')[0]?.mend.join('\n');
    expect(lines).toContain('demo.internal');
    expect(lines).not.toContain('$(x)');
  });

  it('of a daemon on another machine are asked there', () => {
    const endpoint = { address: '10.0.0.5', port: 53 };
    const listeners = [{ endpoint, asked: endpoint, udp: 'own', tcp: 'own' } as const];
    const facts = factsOf({ isLocal: false, endpoint: new URL('http://10.0.0.5:8053') }, { listeners });
    expect(of(facts, 'names')[0]?.mend).toContain('sudo resolvectl dns cloudmap 10.0.0.5:53');
    // Whoever holds ports here is not in its way.
    expect(of(facts, 'port')).toEqual([]);
  });
});

describe('a daemon', () => {
  it('that is not ready says why; where the disk is the reason, where to look', () => {
    const notReady = 'the store does not take changes (database or disk is full)';
    expect(of(factsOf({}, { notReady }), 'ready')).toEqual([
      {
        check: 'ready',
        status: 'problem',
        message: `cloudmapd 0.1.0 (pid 4) at http://127.0.0.1:8053 is not ready: ${notReady}`,
        mend: ['df -h /var/lib/cloudmapd'],
      },
    ]);
    expect(of(factsOf({}, { notReady: 'no thread answers DNS' }), 'ready')[0]).toMatchObject({ mend: [] });
  });

  it('of an older version is asked what it knows', () => {
    const facts = factsOf({}, { dns: null, listeners: [] });
    expect(of(facts, 'daemon')).toMatchObject([{ status: 'note' }]);
    expect(findingsOf(facts).filter(({ status }) => status === 'problem')).toEqual([]);
  });

  it('on another machine whose DNS is on loopback is to listen elsewhere', () => {
    const listeners = [{ endpoint: LISTENER, asked: null, udp: null, tcp: null }];
    const facts = factsOf({ isLocal: false, endpoint: new URL('http://10.0.0.5:8053') }, { listeners });
    expect(of(facts, 'listener')).toMatchObject([{ status: 'note', mend: ['CLOUDMAPD_DNS=0.0.0.0:1053'] }]);
  });

  it('on another machine whose DNS does not come through has a firewall to open', () => {
    const endpoint = { address: '10.0.0.5', port: 53 };
    const problem = { problem: 'no reply within 2 s' };
    const listeners = [{ endpoint, asked: endpoint, udp: problem, tcp: 'own' as const }];
    const facts = factsOf({ isLocal: false, endpoint: new URL('http://10.0.0.5:8053') }, { listeners });
    expect(of(facts, 'listener')).toMatchObject([
      {
        status: 'problem',
        message: 'DNS over UDP on 10.0.0.5:53 does not answer: no reply within 2 s',
        mend: expect.arrayContaining(['sudo iptables -I INPUT -p udp --dport 53 -j ACCEPT']),
      },
    ]);
  });

  it('whose machine has no IPv6 has left a wildcard out', () => {
    expect(of(factsOf({}, { dns: { ...DNS, skipped: ['[::]:1053'] } }), 'ipv6')).toMatchObject([{ status: 'note' }]);
  });
});

describe("a port that another user's process holds", () => {
  const holder = (over: Partial<Holder>): Holder => ({
    transport: 'UDP',
    address: '0.0.0.0',
    port: 1053,
    process: null,
    ...over,
  });
  const without = { daemon: 'connect ECONNREFUSED' } as const;

  it('is looked up by root', () => {
    const [finding] = of(factsOf({ ...without, holders: [holder({})] }), 'port');
    expect(finding).toMatchObject({ status: 'problem', message: expect.stringContaining('a process of another user') });
    expect(finding?.mend).toContain("sudo ss -lnpu 'sport = :1053'");
    expect(finding?.mend).toContain('CLOUDMAPD_DNS=127.0.0.1:11053 cloudmapd serve');
  });

  it.each([
    ['another address', { address: '127.0.0.2' }],
    ['another port', { port: 1054 }],
    ['IPv6 alone', { address: '::1' }],
  ])("is in nobody's way where it is %s", (_, over) => {
    expect(of(factsOf({ ...without, holders: [holder(over)] }), 'port')).toEqual([]);
  });

  it('may be in the way of IPv4 where it is the wildcard of IPv6', () => {
    expect(of(factsOf({ ...without, holders: [holder({ address: '::' })] }), 'port')).toHaveLength(1);
  });

  it('has no place beside it offered that another one holds', () => {
    const planned = { http: [{ address: '127.0.0.1', port: 8053 }], dns: [{ address: '0.0.0.0', port: 53 }] };
    const holders = [holder({ port: 53, address: '127.0.0.53' }), holder({ port: 53, address: '127.0.0.1' })];
    const [finding] = of(factsOf({ ...without, planned, holders, leastFreePort: null }), 'port');
    expect(finding?.mend).toContain('CLOUDMAPD_DNS=0.0.0.0:10053 cloudmapd serve');
  });
});

it('a remote endpoint where nobody answers is not to be started here', () => {
  const facts = factsOf({ isLocal: false, daemon: 'it does not answer', endpoint: new URL('http://10.0.0.5:8053') });
  expect(of(facts, 'daemon')).toMatchObject([{ status: 'problem', mend: [] }]);
});
