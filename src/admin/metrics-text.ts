/** The metrics as Prometheus reads them. The only importer of prom-client; loaded when they are first asked for. */
import { collectDefaultMetrics, type Metric, Registry } from 'prom-client';
import { FAMILIES, type MetricSources } from './metric-families.ts';

/** Gauges whose names are those of counters, which Prometheus's conventions forbid, and what is among our own. */
const LEFT_OUT = [
  'nodejs_active_resources_total',
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  ...FAMILIES.map(({ name }) => name),
];

export class MetricsText {
  readonly #registry = new Registry();
  #sources: MetricSources | null = null;

  constructor() {
    collectDefaultMetrics({ register: this.#registry });
    for (const name of LEFT_OUT) this.#registry.removeSingleMetric(name);
    for (const { name, help, type, samples } of FAMILIES) {
      const get = async () => ({ name, help, type, values: this.#sources === null ? [] : samples(this.#sources) });
      // All that a registry asks of a metric, though its type says more; ours are counted elsewhere.
      this.#registry.registerMetric({ name, get } as unknown as Metric);
    }
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  read(sources: MetricSources): Promise<string> {
    // Our own are read in the same turn, whatever the others wait for.
    this.#sources = sources;
    return this.#registry.metrics();
  }
}
