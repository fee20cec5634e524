/** `GET /admin/queries`: a line of JSON for each DNS query from now on, for as long as the client listens. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Publisher } from '../publish/publisher.ts';
import type { LineStreams } from './line-streams.ts';
import { clientFilter, matcherOf, nameFilter } from './query-filter.ts';

const filter = z.strictObject({ name: z.string().optional(), client: z.string().optional() });

/**
 * `?name=`: that name and those below it; `?client=`: an address. 400 where it can be none.
 * `{"leftOut": 3}` stands for what was too much.
 */
export function registerQueries(
  app: FastifyInstance,
  publisher: () => Promise<Publisher>,
  streams: LineStreams,
  outcomeName: (outcome: number) => string,
): void {
  // HEAD asks for what has no end.
  app.get('/admin/queries', { exposeHeadRoute: false }, async (request, reply) => {
    const wanted = filter.safeParse(request.query);
    if (!wanted.success) {
      const issue = wanted.error.issues[0];
      return reply.code(400).send({ error: `${issue?.path.join('.') || 'query'}: ${issue?.message}` });
    }
    const { name, client } = wanted.data;
    const named = name === undefined ? '' : nameFilter(name);
    const from = client === undefined ? undefined : clientFilter(client);
    // What nothing can match would be waited for in vain.
    if (named === null) return reply.code(400).send({ error: `name: ${JSON.stringify(name)} is no domain name` });
    if (from === null) return reply.code(400).send({ error: `client: ${JSON.stringify(client)} is no IP address` });
    const isWanted = matcherOf(named, from ?? null);
    const [{ queryLine }, { queries }] = await Promise.all([import('./query-line.ts'), publisher()]);
    const stream = streams.make(reply);
    if (stream === null) return reply;
    const end = await queries.add(1, (seen, leftOut) => {
      stream.leaveOut(leftOut);
      for (const query of seen) {
        if (!stream.hasRoom) {
          stream.leaveOut(1);
          continue;
        }
        const line = queryLine(query, outcomeName(query.outcome));
        if (isWanted(line)) stream.write(line);
      }
    });
    stream.begin(end);
    return reply;
  });
}
