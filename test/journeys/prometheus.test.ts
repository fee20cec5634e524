/** Debian's Prometheus reads `/metrics`: promtool has nothing to find fault with, and a server scrapes it. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { askTcp, askUdp, buildQuery } from '../support/dns.ts';
import { closedPort } from '../support/fake-upstream.ts';
import { shareForwarding } from '../support/forwarding.ts';
import { Api } from '../support/journey-api.ts';
import { requireTool, setUpJourney, waitFor } from '../support/journey-tools.ts';
import { scrape } from '../support/metrics.ts';

const forwarding = shareForwarding();
const journey = setUpJourney();

/** Something of each metric that has no samples before the first. */
async function useAll(): Promise<void> {
  const { daemon, ask } = forwarding();
  await ask('www.example.com A');
  await ask('www.example.com A', { overTcp: true });
  const api = new Api(daemon.endpoint);
  const namespace = await api.createNamespace('corp.internal', 'public');
  const service = await api.createService(namespace, 'web', {
    HealthCheckConfig: { Type: 'TCP', FailureThreshold: 1 },
  });
  const port = String(await closedPort());
  await api.register(service, 'web-1', { AWS_INSTANCE_IPV4: '127.0.0.1', AWS_INSTANCE_PORT: port });
  await waitFor('the transition', async () =>
    (await scrape(daemon.endpoint)).value('cloudmapd_health_transitions_total') > 0 ? true : null,
  );
  api.sdk.destroy();
}

describe('promtool', () => {
  it('finds no fault with the metrics', async (context) => {
    requireTool(context, 'promtool');
    await useAll();
    const { text, types, labels } = await scrape(forwarding().daemon.endpoint);
    const empty = [...types].filter(
      ([name, type]) => labels(type === 'histogram' ? `${name}_count` : name).length === 0,
    );
    // The collector may not have run yet.
    expect(empty.map(([name]) => name).filter((name) => name !== 'nodejs_gc_duration_seconds')).toEqual([]);
    const checked = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
    expect([checked.status, checked.stdout, checked.stderr]).toEqual([0, '', '']);
  });
});

describe('Prometheus', () => {
  it('scrapes a running daemon, and knows what was asked', async (context) => {
    requireTool(context, 'prometheus');
    const { daemon } = forwarding();
    const config = journey.writeFile(
      'prometheus.yml',
      `global: { scrape_interval: 500ms, scrape_timeout: 500ms }
scrape_configs: [{ job_name: cloudmapd, static_configs: [{ targets: ['127.0.0.1:${daemon.httpPort}'] }] }]
`,
    );
    const port = await closedPort();
    const data = journey.newPath('prometheus');
    mkdirSync(data, { recursive: true });
    const server = spawn(
      'prometheus',
      [`--config.file=${config}`, `--storage.tsdb.path=${data}`, `--web.listen-address=127.0.0.1:${port}`],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let log = '';
    server.stderr.on('data', (chunk) => {
      log += chunk;
    });
    const ended = new Promise((resolve) => server.once('close', resolve));
    try {
      /** The value of the only series that the expression gives; null: none yet. */
      const value = async (expression: string): Promise<number | null> => {
        if (server.exitCode !== null) throw new Error(`prometheus has ended: ${log}`);
        const url = `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(expression)}`;
        const response = await fetch(url).catch(() => null);
        if (response?.status !== 200) return null;
        const { data } = (await response.json()) as { data: { result: { value: [number, string] }[] } };
        return data.result[0] === undefined ? null : Number(data.result[0].value[1]);
      };
      const queries = 'sum(cloudmapd_dns_queries_total{type="TXT",outcome="refused"})';
      await waitFor('a scrape', async () => ((await value('up{job="cloudmapd"}')) === 1 ? true : null));
      const query = buildQuery('www.example.com', 'TXT');
      for (let i = 0; i < 5; i++) await askUdp(daemon.dnsPort, query);
      await askTcp(daemon.dnsPort, [query, query]);
      await waitFor('the queries', async () => ((await value(queries)) === 7 ? true : null));
      const p99 = 'histogram_quantile(0.99, sum by (le) (cloudmapd_dns_query_duration_seconds_bucket))';
      // A scrape that a busy machine kept from its time leaves a gap.
      await waitFor('a percentile', async () => (((await value(p99)) ?? 0) > 0 ? true : null));
      await waitFor('the samples', async () => (((await value('scrape_samples_scraped')) ?? 0) > 100 ? true : null));
    } finally {
      server.kill('SIGKILL');
      await ended;
    }
  });
});
