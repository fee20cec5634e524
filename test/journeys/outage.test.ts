/** All instances go down and come back, and DNS is watched all the while; and a restart in the middle of that. */
import { ListServicesCommand } from '@aws-sdk/client-servicediscovery';
import { afterEach, describe, expect, it } from 'vitest';
import { startApi, type TestApi } from '../support/api.ts';
import type { RunningDaemon } from '../support/daemon.ts';
import { dig } from '../support/dns.ts';
import { DnsWatch, type WatchedService } from '../support/dns-watch.ts';
import { Api, type ServiceInput } from '../support/journey-api.ts';
import { nextMillisecond, requireLoopbackBlock, setUpJourney, waitFor } from '../support/journey-tools.ts';
import { HANG, Listener, OK, ownAddress, respond } from '../support/listeners.ts';
import { turnsOf, waitForMore } from '../support/probing.ts';

const journey = setUpJourney();
const open: Listener[] = [];
const running: TestApi[] = [];
// Those that ask all the time, who must not outlive the daemon where a test fails.
const asking: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of asking.splice(0)) await one.stop();
  for (const api of running.splice(0)) await api.close();
  for (const listener of open.splice(0)) listener.close();
});

type Name = 'a' | 'b' | 'c';
const NAMES = ['a', 'b', 'c'] as const;

/** Three that answer, each at an address of its own. */
async function listenThree(): Promise<Record<Name, Listener>> {
  const three = {} as Record<Name, Listener>;
  for (const name of NAMES) {
    three[name] = await Listener.open(OK, { address: ownAddress() });
    open.push(three[name]);
  }
  return three;
}

function ipv6Of(name: Name): string {
  return `fd00::${1 + NAMES.indexOf(name)}`;
}

const RECORDS = {
  a: [['A', 10]],
  aaaa: [['AAAA', 10]],
  both: [
    ['A', 10],
    ['AAAA', 10],
  ],
  srv: [['SRV', 10]],
} as const satisfies Record<string, ServiceInput['records']>;

describe('all instances down, and back', () => {
  it.for(['last-healthy', 'all'] as const)(
    'are answered as they are at any time, with %s',
    async (fallback, context) => {
      requireLoopbackBlock(context);
      const daemon = await startApi({
        healthIntervalMs: '50',
        dnsFallback: fallback,
        allowPrivateHealthChecks: 'true',
      });
      running.push(daemon);
      const api = new Api(daemon.endpoint);
      const namespace = await api.createNamespace('corp.internal');
      const listeners = await listenThree();
      const perInstance = (recordOf: (name: Name) => string) =>
        Object.fromEntries(NAMES.map((name) => [name, recordOf(name)]));

      const services: string[] = [];
      const watches: DnsWatch[] = [];
      for (const policy of ['MULTIVALUE', 'WEIGHTED'] as const) {
        for (const [kind, records] of Object.entries(RECORDS)) {
          const service = `${kind}-${policy.toLowerCase()}`;
          const owner = `${service}.corp.internal`;
          // The default, and less.
          const FailureThreshold = policy === 'WEIGHTED' ? 2 : undefined;
          const HealthCheckConfig = { Type: 'HTTP' as const, FailureThreshold };
          const id = await api.createService(namespace, service, { records, policy, HealthCheckConfig });
          for (const name of NAMES) {
            await api.register(id, name, { ...listeners[name].attributes, AWS_INSTANCE_IPV6: ipv6Of(name) });
          }
          services.push(id);
          const recordOf = {
            A: (name: Name) => `10 IN A ${listeners[name].address}`,
            AAAA: (name: Name) => `10 IN AAAA ${ipv6Of(name)}`,
            SRV: (name: Name) => `10 IN SRV 1 1 ${listeners[name].port} ${name}.${owner}.`,
          };
          const questions = records.map(([type]) => ({ name: owner, type, records: perInstance(recordOf[type]) }));
          const constants: WatchedService['constants'] =
            kind === 'srv'
              ? NAMES.flatMap((name) =>
                  (['A', 'AAAA'] as const).map((type) => ({
                    name: `${name}.${owner}`,
                    type,
                    record: recordOf[type](name),
                  })),
                )
              : [];
          const watched = { id, fallback, policy, questions, constants };
          watches.push(new DnsWatch(daemon.daemon.registry, daemon.dnsPort, watched));
        }
      }

      asking.push(...watches);

      const allAre = async (healthy: readonly Name[]): Promise<void> => {
        const wanted = perInstance((name) => (healthy.includes(name) ? 'HEALTHY' : 'UNHEALTHY'));
        for (const id of services) {
          await waitFor(`${healthy.join()} to be healthy`, async () =>
            JSON.stringify(Object.entries((await api.healthOf(id)) ?? {}).sort()) ===
            JSON.stringify(Object.entries(wanted).sort())
              ? true
              : null,
          );
        }
        await Promise.all(watches.map((watch) => watch.lookTwice()));
        // Only equal milliseconds tie for the last healthy.
        await nextMillisecond();
      };
      const down = (...names: Name[]) => {
        for (const name of names) listeners[name].script = respond(503);
      };
      const up = (...names: Name[]) => {
        for (const name of names) listeners[name].script = OK;
      };

      await allAre(['a', 'b', 'c']);
      down('a');
      await allAre(['b', 'c']);
      down('c');
      await allAre(['b']);
      down('b');
      await allAre([]);
      up('a');
      await allAre(['a']);
      down('a');
      await allAre([]);
      up('c', 'b');
      await allAre(['b', 'c']);
      up('a');
      await allAre(['a', 'b', 'c']);
      // At once, some perhaps in one millisecond.
      down('a', 'b', 'c');
      await allAre([]);
      up('a', 'b', 'c');
      await allAre(['a', 'b', 'c']);
      for (const watch of watches) {
        await watch.stop();
        expect(watch.wrong).toEqual([]);
      }
    },
  );
});

describe('a restart in the middle of an outage', () => {
  it('leaves statuses, answers and the fallback as they were until new probes reach the threshold', async (context) => {
    requireLoopbackBlock(context);
    const listeners = await listenThree();
    const addressOf = (name: Name) => listeners[name].address;
    const instances = NAMES.map((id) => ({ id, attributes: listeners[id].attributes }));
    const CONFIG = journey.writeFile(
      'zone.yaml',
      JSON.stringify({
        namespaces: [
          {
            name: 'file.example',
            type: 'DNS_PUBLIC',
            services: [
              { name: 'web', dns: { records: [{ type: 'A', ttl: 10 }] }, healthCheck: { type: 'HTTP' }, instances },
            ],
          },
        ],
      }),
    );
    const dataDir = journey.newPath();
    // A probe that hangs does so until the test lets it go.
    const settings = { CONFIG, HEALTH_INTERVAL_MS: '60', HEALTH_RESPONSE_TIMEOUT_MS: '60000' };
    const first = await journey.start({ dataDir, settings });
    const before = new Api(first.endpoint);
    const namespace = await before.createNamespace('api.example', 'public');
    const HealthCheckConfig = { Type: 'HTTP' as const };
    const called = await before.createService(namespace, 'web', { HealthCheckConfig });
    for (const { id, attributes } of instances) await before.register(called, id, attributes);
    // Healthy, and one failure short of the threshold.
    const steady = await Listener.open((n) => (n < 3 ? respond(503) : HANG));
    open.push(steady);
    const steadyService = await before.createService(namespace, 'steady', { HealthCheckConfig });
    await before.register(steadyService, 'steady', steady.attributes);

    const { Services = [] } = await before.sdk.send(new ListServicesCommand({}));
    const declared = Services.find(({ Id }) => Id !== called && Id !== steadyService)?.Id as string;
    const statuses = async (api: Api) => [await api.healthOf(declared), await api.healthOf(called)];
    for (const name of ['b', 'c', 'a'] as const) {
      await nextMillisecond();
      listeners[name].script = respond(503);
      await waitFor(`${name} to be down`, async () =>
        (await statuses(before)).every((of) => of?.[name] === 'UNHEALTHY') ? true : null,
      );
    }
    await waitFor('the third probe', () => (steady.hanging === 1 ? true : null));
    await first.stop('SIGKILL');

    for (const name of NAMES) listeners[name].script = HANG;
    // What new instances begin with is no matter of those that were there.
    const second = await journey.start({ dataDir, settings: { ...settings, NEW_INSTANCE: 'unhealthy' } });
    const api = new Api(second.endpoint);
    const answers = new Answers(second, ['web.file.example', 'web.api.example']);
    asking.push(answers);
    const allDown = { a: 'UNHEALTHY', b: 'UNHEALTHY', c: 'UNHEALTHY' };
    expect(await statuses(api)).toEqual([allDown, allDown]);
    expect(await api.healthOf(steadyService)).toEqual({ steady: 'HEALTHY' });
    await waitFor('probes of the new process', () =>
      NAMES.every((name) => listeners[name].hanging === 2) && steady.hanging === 1 ? true : null,
    );
    expect(await statuses(api)).toEqual([allDown, allDown]);
    for (const space of ['file.example', 'api.example']) {
      expect((await api.discover(space, 'web')).ids).toEqual([]);
      expect((await api.discover(space, 'web', 'UNHEALTHY')).ids).toEqual(['a', 'b', 'c']);
      expect((await api.discover(space, 'web', 'HEALTHY_OR_ELSE_ALL')).ids).toEqual(['a', 'b', 'c']);
    }

    // One failure more, then passes: what was counted before the restart is not counted on.
    steady.script = (n) => (n < 5 ? respond(503) : OK);
    steady.release(respond(503));
    for (const name of ['a', 'c'] as const) listeners[name].script = respond(503);
    listeners.b.script = OK;
    for (const name of NAMES) {
      for (let i = 0; i < 2; i++) listeners[name].release(name === 'b' ? OK : respond(503));
    }
    await waitFor('b to be up', async () => ((await statuses(api)).every((of) => of?.b === 'HEALTHY') ? true : null));
    await answers.waitForLast(addressOf('b'));
    listeners.b.script = respond(503);
    await waitFor('b to be down', async () =>
      (await statuses(api)).every((of) => of?.b === 'UNHEALTHY') ? true : null,
    );
    await waitForMore(listeners.b, 4);
    await waitForMore(steady, 4);
    await answers.stop();
    // The last healthy one before, b while it was healthy, and b again since none was healthy later.
    expect(answers.seen).toEqual({
      'web.file.example': [addressOf('a'), addressOf('b')],
      'web.api.example': [addressOf('a'), addressOf('b')],
    });
    const up = { instance: 'b', status: 'HEALTHY', reason: 'probe passed, 3 in a row' };
    const down = { instance: 'b', status: 'UNHEALTHY', reason: 'HTTP 503, 3 in a row' };
    // Of both services, in whatever order; of nobody else.
    expect(turnsOf(second).toSorted((x, y) => x.status.localeCompare(y.status))).toEqual([up, up, down, down]);
  });
});

/** Asks for A records all the time, and keeps each answer that is another than the one before. */
class Answers {
  /** By name. */
  readonly seen: Record<string, string[]> = {};
  #isStopped = false;
  readonly #asking: Promise<unknown>;

  constructor({ dnsPort }: RunningDaemon, names: readonly string[]) {
    this.#asking = Promise.all(
      names.map(async (name) => {
        const seen: string[] = [];
        this.seen[name] = seen;
        while (!this.#isStopped) {
          const { answer } = await dig(dnsPort, name, 'A');
          const addresses = answer.map((record) => record.split(' ').at(-1)).sort();
          if (seen.at(-1) !== addresses.join()) seen.push(addresses.join());
        }
      }),
    );
  }

  async waitForLast(address: string): Promise<void> {
    await waitFor(`${address} to be answered`, () =>
      Object.values(this.seen).every((seen) => seen.at(-1) === address) ? true : null,
    );
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#asking;
  }
}
