/** Many probes: how many there are at once, of one instance and of all, and when. */
import { afterEach, describe, expect, it } from 'vitest';
import { Api } from '../support/journey-api.ts';
import { setUpJourney, shareDaemon, waitFor } from '../support/journey-tools.ts';
import { HANG, Listener, OK, type Script } from '../support/listeners.ts';
import { waitForMore } from '../support/probing.ts';

const journey = setUpJourney();
const open: Listener[] = [];
afterEach(() => {
  for (const listener of open.splice(0)) listener.close();
});

async function listen(script: Script): Promise<Listener> {
  const listener = await Listener.open(script);
  open.push(listener);
  return listener;
}

describe('CLOUDMAPD_HEALTH_CONCURRENCY', () => {
  const LIMIT = 3;
  const sharedDaemon = shareDaemon({
    // A probe that hangs does so until the test lets it go.
    settings: {
      STORE: 'memory',
      HEALTH_INTERVAL_MS: '20',
      HEALTH_RESPONSE_TIMEOUT_MS: '60000',
      HEALTH_CONCURRENCY: `${LIMIT}`,
    },
  });
  afterEach(() => new Api(sharedDaemon().endpoint).wipe());

  it('is how many probes are under way at once, and everybody has a turn', async () => {
    const api = new Api(sharedDaemon().endpoint);
    const service = await api.createService(await api.createNamespace('corp.example', 'public'), 'web', {
      HealthCheckConfig: { Type: 'HTTP' },
    });
    let came = 0;
    let released = 0;
    let most = 0;
    const script = () => {
      came++;
      most = Math.max(most, came - released);
      return HANG;
    };
    const listeners = await Promise.all(Array.from({ length: 12 }, () => listen(script)));
    await Promise.all(listeners.map((listener, i) => api.register(service, `web-${i}`, listener.attributes)));
    // Of the first twelve probes one is for each; then they come round again.
    for (const rounds of [1, 2]) {
      const wanted = rounds * listeners.length;
      while (came < wanted) {
        await waitFor('as many probes as may be', () => (came - released === LIMIT ? true : null));
        if (came === wanted) break;
        released++;
        listeners.find(({ hanging }) => hanging > 0)?.release(OK);
      }
      if (rounds === 1) expect(listeners.map(({ connections }) => connections)).toEqual(listeners.map(() => 1));
    }
    expect(most).toBe(LIMIT);
  });

  it('does not let the probes of one instance overlap, however long one takes', async () => {
    const api = new Api(sharedDaemon().endpoint);
    const service = await api.createService(await api.createNamespace('corp.example', 'public'), 'web', {
      HealthCheckConfig: { Type: 'HTTP' },
    });
    const slow = await listen(HANG);
    const quick = await listen(OK);
    await api.register(service, 'slow', slow.attributes);
    await api.register(service, 'quick', quick.attributes);
    for (const probes of [1, 2, 3]) {
      await waitFor('the next probe', () => (slow.connections === probes ? true : null));
      await waitForMore(quick, 10);
      expect(slow.connections).toBe(probes);
      slow.release(OK);
    }
  });
});

describe('after a restart', () => {
  it('probes are spread over the interval', async () => {
    const COUNT = 200;
    const listener = await listen(OK);
    const instances = Array.from({ length: COUNT }, (_, i) => ({ id: `web-${i}`, attributes: listener.attributes }));
    const namespace = { name: 'corp.example', type: 'DNS_PUBLIC' };
    const service = { name: 'web', healthCheck: { type: 'HTTP' }, instances };
    const CONFIG = journey.writeFile(
      'zone.yaml',
      JSON.stringify({ namespaces: [{ ...namespace, services: [service] }] }),
    );
    const dataDir = journey.newPath();
    const settings = { CONFIG, HEALTH_INTERVAL_MS: '4000' };
    const first = await journey.start({ dataDir, settings });
    await waitFor('a probe of each', () => (listener.connections >= COUNT ? true : null));
    await first.stop('SIGKILL');

    const before = listener.connections;
    await journey.start({ dataDir, settings });
    await waitFor('a probe of each', () => (listener.connections >= before + COUNT ? true : null));
    const cameAt = listener.cameAt.slice(before, before + COUNT);
    // Half of them should take half of the interval; a machine that is busy with other things piles some up.
    const [from, to] = [cameAt[COUNT / 4], cameAt[(3 * COUNT) / 4]] as [number, number];
    expect(to - from).toBeGreaterThan(1000);
    const buckets = Map.groupBy(cameAt, (at) => Math.floor(at / 100));
    expect(Math.max(...[...buckets.values()].map(({ length }) => length))).toBeLessThan(COUNT / 2);
  });
});
