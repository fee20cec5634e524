/** `POST /admin/import`: a document of either form into the registry. */
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Ec2Answer } from '../registry/attributes.ts';
import type { Registry } from '../registry/registry.ts';
import { StoreError } from '../store/store.ts';
import { ImportError } from '../transfer/report.ts';

/** Of a body. The records that are read out of it are what takes memory. */
const MAX_BYTES = 1024 * 1024 * 1024;

const query = z.strictObject({ dryRun: z.enum(['true', 'false']).default('false') });

/**
 * `?dryRun=true` says what would be done. Answers what was created, changed and there already; where the document
 * cannot be imported 400 with `{"error", "path", "problem"}`, and nothing is in.
 * @param ec2 asked for the addresses of declared EC2 instances; null: nobody is
 */
export function registerImport(
  app: FastifyInstance,
  registry: () => Registry | null,
  ec2: ((id: string) => Promise<Ec2Answer>) | null,
): void {
  let isUnderWay = false;
  // In a scope of its own, whose bodies are not collected first.
  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    scope.post('/admin/import', async (request, reply) => {
      const body = (request.body ?? request.raw) as IncomingMessage;
      const refuse = (status: number, error: object) => {
        // Clients read the answer when they have sent all, and so it is taken.
        body.resume();
        return reply.code(status).send(error);
      };
      const wanted = query.safeParse(request.query);
      if (!wanted.success) {
        const issue = wanted.error.issues[0];
        return refuse(400, { error: `${issue?.path.join('.') || 'the query'}: ${issue?.message}` });
      }
      const loaded = registry();
      if (loaded === null) return refuse(503, { error: 'the state is being loaded' });
      // One document in memory is enough.
      if (isUnderWay) return refuse(409, { error: 'another import is under way: wait for its end' });
      isUnderWay = true;
      try {
        // Loaded when first needed: hardly any start is followed by one.
        const { importText } = await import('../transfer/import.ts');
        return await importText(loaded, bounded(body), { dryRun: wanted.data.dryRun === 'true', ec2 });
      } catch (error) {
        if (error instanceof ImportError) {
          const { message, problem, path } = error;
          return refuse(400, { error: message, ...(path === null ? {} : { path, problem }) });
        }
        if (error instanceof TooLarge) return refuse(413, { error: error.message });
        if (error instanceof StoreError) return refuse(500, { error: error.message });
        // The client has gone: nobody reads the answer, and it is nobody's fault here.
        if (body.errored !== null) return refuse(400, { error: 'the document did not come whole' });
        throw error;
      } finally {
        isUnderWay = false;
      }
    });
  });
}

class TooLarge extends Error {
  override readonly name = 'TooLarge';
}

async function* bounded(body: IncomingMessage): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  // Left open where reading ends early, for the answer goes through the same socket.
  for await (const chunk of body.iterator({ destroyOnReturn: false })) {
    bytes += (chunk as Uint8Array).length;
    if (bytes > MAX_BYTES) throw new TooLarge(`the document has more than ${MAX_BYTES} bytes`);
    yield chunk as Uint8Array;
  }
}
