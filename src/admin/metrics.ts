/** `GET /metrics`: what the daemon has done since its start, and what it holds, for Prometheus. */
import type { FastifyInstance } from 'fastify';
import type { ResolverFigures } from '../answers/thread-protocol.ts';
import type { Publisher } from '../publish/publisher.ts';
import { addFigures } from '../publish/resolver-figures.ts';
import type { Registry } from '../registry/registry.ts';
import type { DaemonMeters } from '../telemetry/daemon-meters.ts';
import type { MetricSources } from './metric-families.ts';
import type { MetricsText } from './metrics-text.ts';
import { RegistrySizes } from './registry-sizes.ts';

export type MetricParts = Pick<MetricSources, 'outcomeName' | 'cacheLimitBytes'> & {
  readonly meters: DaemonMeters;
  registry(): Registry | null;
  publisher(): Promise<Publisher>;
  /** Of the main thread, which looks names of aliases up. */
  lookups(): ResolverFigures;
};

export function registerMetrics(app: FastifyInstance, { registry, publisher, lookups, ...others }: MetricParts): void {
  let text: Promise<MetricsText> | null = null;
  let sizes: RegistrySizes | null = null;
  app.get('/metrics', async (_request, reply) => {
    text ??= import('./metrics-text.ts').then(({ MetricsText }) => new MetricsText());
    const loaded = registry();
    if (loaded !== null) sizes ??= new RegistrySizes(loaded);
    const answering = await publisher();
    const figures = addFigures([await answering.figures(), lookups()]);
    const writer = await text;
    const body = await writer.read({ ...others, publisher: answering, figures, sizes });
    // As bytes, lest anything is added to the content type, which names the version of the format.
    return reply.header('content-type', writer.contentType).send(Buffer.from(body));
  });
}
