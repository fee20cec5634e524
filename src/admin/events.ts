/** `GET /admin/events`: registry changes and health transitions as they happen, a line of JSON each. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Registry } from '../registry/registry.ts';
import { mayBeNamespace, mayBeService } from '../registry/spelling.ts';
import { type EventFilter, eventsOf, isWanted, type RegistryEvent } from './event-lines.ts';
import type { LineStream, LineStreams } from './line-streams.ts';

const query = z.strictObject({
  namespace: z.string().refine(mayBeNamespace, 'is no name, id or ARN of a namespace').optional(),
  service: z.string().refine(mayBeService, 'is no name, id or ARN of a service').optional(),
});

/**
 * `?namespace=&service=`: of those alone, by name, id or ARN; 400 where nothing can ever be called so. A client that does not read is cut off, and its last line says so.
 */
export function registerEvents(
  app: FastifyInstance,
  registry: () => Registry | null,
  streams: LineStreams,
  clock: () => number,
): void {
  const listening = new Map<LineStream, EventFilter>();
  let watched: Registry | null = null;
  const tell = (events: readonly RegistryEvent[]): void => {
    const at = new Date(clock()).toISOString();
    const lines = events.map((event) => ({ event, line: { at, ...event }, bytes: sizeOf(event) }));
    for (const [stream, filter] of listening) {
      if (!stream.writeAllOrEnd(lines.filter(({ event }) => isWanted(event, filter)))) listening.delete(stream);
    }
  };
  // HEAD would ask for what has no end.
  app.get('/admin/events', { exposeHeadRoute: false }, async (request, reply) => {
    const wanted = query.safeParse(request.query);
    if (!wanted.success) {
      const issue = wanted.error.issues[0];
      const key = issue?.path.join('.') ?? '';
      const given = (request.query as Record<string, unknown>)[key];
      // As whoever typed it sees it.
      const what = typeof given === 'string' ? `${JSON.stringify(given)} ` : '';
      return reply.code(400).send({ error: `${key || 'the query'}: ${what}${issue?.message}` });
    }
    const { namespace = null, service = null } = wanted.data;
    const loaded = registry();
    if (loaded === null) return reply.code(503).send({ error: 'the state is being loaded' });
    if (watched === null) {
      // From the first client on: nobody else pays for it.
      watched = loaded;
      loaded.subscribe(async (changes) => {
        if (listening.size > 0) tell(eventsOf(changes, loaded.state));
      });
      loaded.onOutage((outage) =>
        tell([outage === null ? { event: 'store-recovered' } : { event: 'store-failed', reason: outage.message }]),
      );
    }
    const stream = streams.make(reply);
    if (stream === null) return reply;
    listening.set(stream, { namespace, service });
    stream.begin(() => listening.delete(stream));
    return reply;
  });
}

/** Octets of its line, roughly: what of it may be long is its attributes. */
function sizeOf(event: RegistryEvent): number {
  const attributes = 'attributes' in event ? Object.entries(event.attributes ?? {}) : [];
  return attributes.reduce((sum, [key, value]) => sum + key.length + value.length, USUAL_BYTES);
}

/** Of a line without attributes. */
const USUAL_BYTES = 200;
