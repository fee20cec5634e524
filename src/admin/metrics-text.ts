/** The metrics as Prometheus reads them. The only importer of prom-client; loaded when they are first asked for. */
import { collectDefaultMetrics, type Metric, Registry } from 'prom-client';
import { FAMILIES, type MetricSources } from './metric-families.ts';

/** Some are gauges under the names of counters, which Prometheus's conventions forbid, and all walk every connection. */
const ACTIVE = /^nodejs_active_/;

export class MetricsText {
  readonly #registry = new Registry();
  #sources: MetricSources | null = null;

  constructor() {
    collectDefaultMetrics({ register: this.#registry });
    const own = new Set(FAMILIES.map(({ name }) => name));
    for (const { name } of this.#registry.getMetricsAsArray()) {
      if (ACTIVE.test(name) || own.has(name)) this.#registry.removeSingleMetric(name);
    }
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
