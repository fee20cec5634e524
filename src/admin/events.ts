/** `GET /admin/events`: registry changes and health transitions as they happen, a line of JSON each. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Registry } from '../registry/registry.ts';
import { type EventFilter, eventsOf, isWanted, type RegistryEvent } from './event-lines.ts';
import type { LineStream, LineStreams } from './line-streams.ts';

const query = z.strictObject({ namespace: z.string().min(1).optional(), service: z.string().min(1).optional() });

/**
 * `?namespace=&service=`: of those alone, by name or id. A client that does not read is cut off, and its last line says so.
 */
export function registerEvents(
  app: FastifyInstance,
  registry: () => Registry | null,
  streams: LineStreams,
  clock: () => number,
): void {
  const listening = new Map<LineStream, EventFilter>();
  let watched: Registry | null = null;
  const tell = (event: RegistryEvent): void => {
    const line = { at: new Date(clock()).toISOString(), ...event };
    for (const [stream, filter] of listening) {
      if (isWanted(event, filter) && !stream.writeOrEnd(line)) listening.delete(stream);
    }
  };
  // HEAD would ask for what has no end.
  app.get('/admin/events', { exposeHeadRoute: false }, async (request, reply) => {
    const wanted = query.safeParse(request.query);
    if (!wanted.success) {
      const issue = wanted.error.issues[0];
      return reply.code(400).send({ error: `${issue?.path.join('.') || 'the query'}: ${issue?.message}` });
    }
    const { namespace = null, service = null } = wanted.data;
    const loaded = registry();
    if (loaded === null) return reply.code(503).send({ error: 'the state is being loaded' });
    if (watched === null) {
      // From the first client on: nobody else pays for it.
      watched = loaded;
      loaded.subscribe(async (changes) => {
        if (listening.size > 0) for (const event of eventsOf(changes, loaded.state)) tell(event);
      });
      loaded.onOutage((outage) =>
        tell(outage === null ? { event: 'store-recovered' } : { event: 'store-failed', reason: outage.message }),
      );
    }
    const stream = streams.make(reply);
    if (stream === null) return reply;
    listening.set(stream, { namespace, service });
    stream.begin(() => listening.delete(stream));
    return reply;
  });
}
