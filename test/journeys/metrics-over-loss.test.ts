/** An answering thread is lost: what it has counted stays, and whoever looks on at queries sees those of the next one. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfiguration } from '../../src/config.ts';
import { type Daemon, startDaemon } from '../../src/daemon.ts';
import { createLog } from '../../src/log.ts';
import { makeFolder } from '../support/daemon.ts';
import { askUdp, buildQuery } from '../support/dns.ts';
import { FakeUpstream, onlyAddress } from '../support/fake-upstream.ts';
import { waitFor } from '../support/journey-tools.ts';
import { type Metrics, scrape } from '../support/metrics.ts';

let folder: ReturnType<typeof makeFolder>;
let upstream: FakeUpstream;
let daemon: Daemon;
let dnsPort: number;
beforeEach(async () => {
  folder = makeFolder();
  upstream = await FakeUpstream.open(onlyAddress('192.0.2.1'));
  // In this process: the threads have to be within reach.
  const env = {
    CLOUDMAPD_HTTP: '127.0.0.1:0',
    CLOUDMAPD_DNS: '127.0.0.1:0',
    CLOUDMAPD_DNS_THREADS: '2',
    CLOUDMAPD_DATA_DIR: folder.path,
    CLOUDMAPD_UPSTREAMS: upstream.endpoint,
  };
  const log = createLog('error');
  log.level = 'silent';
  daemon = await startDaemon(loadConfiguration({}, env), log);
  dnsPort = Number(daemon.dns[0]?.split(':').at(-1));
});
afterEach(async () => {
  await daemon.close();
  await upstream.close();
  folder.remove();
});

const ask = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await askUdp(dnsPort, buildQuery(`www-${i}.example.com`, 'A', { rd: true }));
};

async function loseAll(): Promise<void> {
  const { publisher } = daemon;
  const lost = publisher.threads;
  await Promise.all(lost.map((thread) => thread.terminate()));
  await waitFor('other threads', () =>
    publisher.threads.length === 2 && publisher.threads.every((thread) => thread.isFilled && !lost.includes(thread))
      ? true
      : null,
  );
}

describe('when threads are lost', () => {
  it('no counter goes back', async () => {
    const endpoint = `http://${daemon.http[0]}`;
    await ask(40);
    const before = await scrape(endpoint);
    await loseAll();
    const between = await scrape(endpoint);
    await ask(10);
    const after = await scrape(endpoint);
    const [queries, durations, sent, replied] = [
      'cloudmapd_dns_queries_total',
      'cloudmapd_dns_query_duration_seconds_count',
      'cloudmapd_upstream_queries_total',
      'cloudmapd_upstream_response_seconds_count',
    ] as const;
    const values = (name: string) => [before, between, after].map((metrics: Metrics) => metrics.value(name));
    expect(values(queries)).toEqual([40, 40, 50]);
    expect(values(durations)).toEqual([40, 40, 50]);
    expect(values(sent)).toEqual([40, 40, 50]);
    expect(values(replied)).toEqual([40, 40, 50]);
    // The answers that they had went with them.
    expect(values('cloudmapd_cache_entries')).toEqual([40, 0, 10]);
  });

  it('what threads asked of upstreams since the last scrape is counted all the same', async () => {
    const { publisher } = daemon;
    await ask(40);
    // Each tells by itself, some time after.
    const told = (): number =>
      publisher.threads
        .flatMap(({ figures }) => figures?.upstreams ?? [])
        .reduce((sum, { queries }) => sum + queries, 0);
    await waitFor('their figures', () => (told() === 40 ? true : null));
    await loseAll();
    const after = await scrape(`http://${daemon.http[0]}`);
    expect(after.value('cloudmapd_upstream_queries_total')).toBe(40);
    expect(after.value('cloudmapd_upstream_response_seconds_count')).toBe(40);
  });

  it('whoever looks on sees what the others answer', async () => {
    let seen = 0;
    const leave = await daemon.publisher.queries.add(1, (queries, leftOut) => {
      seen += queries.length + leftOut;
    });
    await ask(10);
    await loseAll();
    await ask(10);
    await waitFor('all of them', () => (seen === 20 ? true : null));
    leave();
  });
});
