/** `POST /admin/flush`: answers of upstreams are forgotten, by name. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Publisher } from '../publish/publisher.ts';
import { domainNameProblem } from '../registry/owner-names.ts';

const body = z.strictObject({
  name: z.string().refine(isDomainName, 'is no domain name').optional(),
  below: z.boolean().default(false),
});

/** `{}`: all; `{"name": "example.com", "below": true}`: that name and those below it. Answers `{"flushed": 3}`. */
export function registerFlush(app: FastifyInstance, publisher: () => Promise<Publisher>): void {
  app.post('/admin/flush', async (request, reply) => {
    const wanted = body.safeParse(parseJson(request.body), { reportInput: true });
    if (!wanted.success) {
      const issue = wanted.error.issues[0];
      // As whoever typed it sees it.
      const what = issue?.code === 'custom' ? `${JSON.stringify(issue.input)} ` : '';
      return reply.code(400).send({ error: `${issue?.path.join('.') || 'body'}: ${what}${issue?.message}` });
    }
    const { name = null, below } = wanted.data;
    return { flushed: await (await publisher()).flush(name, below) };
  });
}

/** Bodies reach routes as text. @returns what no schema takes where it is no JSON */
function parseJson(text: unknown): unknown {
  if (typeof text !== 'string' || text === '') return {};
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Names in DNS may hold more than a host's; the root is one too. */
function isDomainName(name: string): boolean {
  const hasWideCharacters = [...name].some((character) => character.charCodeAt(0) > 0xff);
  return !hasWideCharacters && (name === '.' || domainNameProblem(name.replace(/\.$/, '')) === null);
}
