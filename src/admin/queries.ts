/** `GET /admin/queries`: a line of JSON for each DNS query from now on, for as long as the client listens. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Publisher } from '../publish/publisher.ts';
import type { LineStreams } from './line-streams.ts';
import type { QueryLine } from './query-line.ts';

const filter = z.strictObject({ name: z.string().optional(), client: z.string().optional() });
type Filter = z.output<typeof filter>;

/** `?name=`: that name and those below it; `?client=`: an address. `{"leftOut": 3}` stands for what was too much. */
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
    const isWanted = matcherOf(wanted.data);
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

function matcherOf({ name, client }: Filter): (line: QueryLine) => boolean {
  const suffix = name === undefined ? '' : name.toLowerCase().replace(/^\.|\.$/g, '');
  return (line) => {
    if (client !== undefined && line.client !== client) return false;
    if (suffix === '') return true;
    const asked = line.name?.toLowerCase() ?? '';
    return asked === suffix || asked.endsWith(`.${suffix}`);
  };
}
