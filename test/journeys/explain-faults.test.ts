/** `explain` where faults are injected: what they do is told as theirs, with their parts and ends, until they are gone. */
import { afterEach, describe, expect, it } from 'vitest';
import { runWell } from '../support/cli.ts';
import { explain, instancesOf, stable, summaryOf } from '../support/explaining.ts';
import { shareForwarding } from '../support/forwarding.ts';
import { waitFor } from '../support/journey-tools.ts';

const FILE = `namespaces:
  - name: corp.internal
    type: DNS_PRIVATE
    services:
      - name: web
        dns: { records: [{ type: A, ttl: 10 }] }
        healthCheckCustom: {}
        instances:
          - { id: web-1, attributes: { AWS_INSTANCE_IPV4: 10.0.0.1 } }
          - { id: web-2, attributes: { AWS_INSTANCE_IPV4: 10.0.0.2, AWS_INIT_HEALTH_STATUS: UNHEALTHY } }
      - name: _db._tcp
        dns: { records: [{ type: SRV, ttl: 10 }] }
        instances: [{ id: db-1, attributes: { AWS_INSTANCE_IPV4: 10.0.4.1, AWS_INSTANCE_PORT: "5432" } }]
records: [{ name: printer.example, type: A, value: 10.9.9.9 }]
`;
const forwarding = shareForwarding({
  file: () => FILE,
  settings: () => ({ FAULTS: 'true', REFUSE: 'ads.example' }),
});
const endpoint = (): string => forwarding().daemon.endpoint;
const reset = () => fetch(`${endpoint()}/admin/reset`, { method: 'POST' });
afterEach(async () => {
  expect((await reset()).status).toBe(200);
});

async function inject(fault: object): Promise<void> {
  const { status } = await fetch(`${endpoint()}/admin/faults`, { method: 'POST', body: JSON.stringify(fault) });
  expect(status).toBe(200);
}

const set = (what: string): string => `A fault is set for the name: ${what} (/admin/faults).`;
const KEPT_BACK = 'A fault kept the answer back; this is what there would be to answer with:';
const OUTSIDE = 'It is in no namespace here.';
const WEB = [
  'It is the service web (srv-*) of the namespace corp.internal (ns-*).',
  '1 of its 2 instances is healthy, and that one alone can be answered.',
  'web-2 is left out: UNHEALTHY since it was registered, T ago.',
  'The TTL is 10 s, as the service says of A.',
  'The zone corp.internal is at serial N.',
];

describe('an answer that a fault keeps back', () => {
  it.each([
    ['servfail', 'SERVFAIL', 'is answered with SERVFAIL: a fault is injected here (/admin/faults).'],
    ['drop', 'no reply', 'gets no answer at all.'],
  ])('by %s is told as what it would have been, and no instance as one of another time', async (fault, told, head) => {
    await inject({ dns: { name: 'web.corp.internal', fault } });
    const explained = await explain(endpoint(), 'web.corp.internal');
    expect(explained.summary.map(stable)).toEqual([`web.corp.internal A ${head}`, set(told), KEPT_BACK, ...WEB]);
    expect(explained).toMatchObject({ outcome: 'fault', answer: [] });
    expect(instancesOf(explained)).toEqual([
      expect.stringMatching(/^web-1 \w+ fault 10\.0\.0\.1$/),
      expect.stringMatching(/^web-2 \w+ unhealthy 10\.0\.0\.2$/),
    ]);
    const stdout = await runWell(['explain', 'web.corp.internal', '--endpoint', endpoint()]);
    expect(stdout).toMatch(/^web-1 .* 10\.0\.0\.1 +no, a fault$/m);
    expect(stdout).toMatch(/^web-2 .* 10\.0\.0\.2 +no, unhealthy$/m);
  });

  it('of an SRV target too', async () => {
    await inject({ dns: { name: '_db._tcp.corp.internal', below: true, fault: 'servfail' } });
    const name = 'db-1._db._tcp.corp.internal';
    expect(instancesOf(await explain(endpoint(), name))).toEqual([expect.stringMatching(/^db-1 \w+ fault /)]);
    expect(instancesOf(await explain(endpoint(), `${name} AAAA`))).toEqual([
      expect.stringMatching(/^db-1 \w+ no-record$/),
    ]);
  });

  it('of a name outside is nothing that upstreams have said, nor were they asked', async () => {
    await inject({ dns: { name: 'example', below: true, fault: 'servfail' } });
    const failed = (name: string): string =>
      `${name} A is answered with SERVFAIL: a fault is injected here (/admin/faults).`;
    const { upstream } = forwarding();
    expect(await summaryOf(endpoint(), 'www.example')).toEqual([
      failed('www.example'),
      set('SERVFAIL'),
      KEPT_BACK,
      OUTSIDE,
      `Names outside are asked of ${upstream.endpoint} (CLOUDMAPD_UPSTREAMS).`,
    ]);
    expect(upstream.seen).toEqual([]);
    expect((await summaryOf(endpoint(), 'x.ads.example')).slice(3)).toEqual([
      OUTSIDE,
      'Names that end in ads.example are refused (CLOUDMAPD_REFUSE).',
    ]);
    expect((await summaryOf(endpoint(), 'www.example', '192.0.2.9')).slice(4)).toEqual([
      expect.stringContaining('CLOUDMAPD_RECURSION_CLIENTS'),
    ]);
    expect((await summaryOf(endpoint(), 'printer.example')).slice(2)).toEqual([
      KEPT_BACK,
      'printer.example is a name of the settings: of `records` in the file, or CLOUDMAPD_OWN_NAME.',
    ]);
  });

  it('is none where it is given over TCP, or late', async () => {
    await inject({ dns: { name: 'web.corp.internal', fault: 'truncate' } });
    await inject({ dns: { name: 'web.corp.internal', fault: 'delay', delayMs: 50_000 } });
    const explained = await explain(endpoint(), 'web.corp.internal');
    expect(explained.summary.map(stable)).toEqual([
      'web.corp.internal A is answered with 10.0.0.1, over TCP.',
      set('TC over UDP'),
      set('a delay of 50000 ms'),
      ...WEB,
    ]);
    expect(instancesOf(explained)[0]).toMatch(/^web-1 \w+ answered /);
  });
});

describe('faults', () => {
  const DAYS = { percent: 1, forSeconds: 250_000 };
  const farOff = expect.stringMatching(/^\d{4}-.*Z$/);

  it('of DNS are told with their part and their end', async () => {
    const { percent, forSeconds } = DAYS;
    await inject({ dns: { name: 'corp.internal', below: true, fault: 'servfail', percent }, forSeconds });
    const { summary, faults, apiFaults } = await explain(endpoint(), 'web.corp.internal');
    expect(summary[1]).toBe(set('SERVFAIL, for 1 of 100 queries, for another 2 days'));
    expect(faults).toEqual([{ fault: 'SERVFAIL, for 1 of 100 queries', until: farOff }]);
    expect(apiFaults).toEqual([]);
  });

  it('of the API are told with theirs, as what no answer of DNS meets', async () => {
    const { percent, forSeconds } = DAYS;
    await inject({ api: { operation: 'DiscoverInstances', fault: 'throttle', percent }, forSeconds });
    await inject({ api: { operation: '*', fault: 'delay', delayMs: 7 } });
    const explained = await explain(endpoint(), 'web.corp.internal');
    expect(explained.outcome).toBe('zone');
    expect(explained.apiFaults).toEqual([
      { fault: 'DiscoverInstances gets RequestLimitExceeded, for 1 of 100 calls', until: farOff },
      { fault: 'every call waits 7 ms', until: null },
    ]);
    const of = 'A fault is set for calls of the API, not for DNS: ';
    expect(explained.summary.slice(-2)).toEqual([
      `${of}DiscoverInstances gets RequestLimitExceeded, for 1 of 100 calls, for another 2 days (/admin/faults).`,
      `${of}every call waits 7 ms (/admin/faults).`,
    ]);
    for (let i = 0; i < 5; i++) await inject({ api: { operation: 'GetService', fault: 'fail' } });
    expect((await explain(endpoint(), 'web.corp.internal')).summary.slice(-2)).toEqual([
      `${of}GetService gets InternalFailure (/admin/faults).`,
      'So are 2 more (/admin/faults).',
    ]);
  });

  it('are told no more when they have ended, by themselves or with a reset', async () => {
    const forSeconds = 0.2;
    await inject({ dns: { name: 'web.corp.internal', fault: 'drop' }, forSeconds });
    await inject({ api: { operation: '*', fault: 'fail' }, forSeconds });
    const summary = await waitFor('the end', async () => {
      const explained = await explain(endpoint(), 'web.corp.internal');
      const { faults, apiFaults, outcome } = explained;
      return faults.length + apiFaults.length === 0 && outcome === 'zone' ? explained.summary : null;
    });
    expect(summary.map(stable)).toEqual(['web.corp.internal A is answered with 10.0.0.1.', ...WEB]);
    expect(await (await fetch(`${endpoint()}/admin/faults`)).json()).toEqual({ faults: [] });
    await inject({ dns: { name: 'web.corp.internal', fault: 'drop' } });
    await inject({ api: { operation: '*', fault: 'fail' } });
    await reset();
    expect(await explain(endpoint(), 'web.corp.internal')).toMatchObject({
      faults: [],
      apiFaults: [],
      outcome: 'zone',
    });
  });
});
