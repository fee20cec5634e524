/** `POST /admin/import`: a document of either form into the registry. */
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import type { Ec2Answer } from '../registry/attributes.ts';
import type { Registry } from '../registry/registry.ts';
import { StoreError } from '../store/store.ts';
import { ImportError, type ImportProgress } from '../transfer/report.ts';

/** Of a body. The records that are read out of it are what takes memory. */
const MAX_BYTES = 1024 * 1024 * 1024;

/** Between two lines that say how far it is. */
const PROGRESS_MS = 200;
const LINES_TYPE = 'application/x-ndjson';

const query = z.strictObject({ dryRun: z.enum(['true', 'false']).default('false') });

/**
 * `?dryRun=true` says what would be done. Answers what was created, changed and there already; where the document
 * cannot be imported 400 with `{"error", "path", "problem"}`, and nothing is in, or as much as it says.
 * With `Accept: application/x-ndjson` lines say how far it is, from when the document has been read:
 * `{"progress": {"phase", "done", "total"}}`. The last one is the answer; what is wrong has its `status` there.
 * @param stopping ends what is under way
 * @param ec2 asked for the addresses of declared EC2 instances; null: nobody is
 */
export function registerImport(
  app: FastifyInstance,
  registry: () => Registry | null,
  ec2: ((id: string) => Promise<Ec2Answer>) | null,
  stopping: AbortSignal,
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
      const lines = request.headers.accept?.includes(LINES_TYPE) ? new ProgressLines(reply) : null;
      try {
        // Loaded when first needed: hardly any start is followed by one.
        const { importText } = await import('../transfer/import.ts');
        const report = await importText(loaded, bounded(body), {
          dryRun: wanted.data.dryRun === 'true',
          ec2,
          signal: stopping,
          ...(lines && { onProgress: (progress) => lines.tell(progress) }),
        });
        return lines === null ? report : lines.end(report);
      } catch (error) {
        const problem = problemOf(error, body);
        if (lines?.hasBegun) {
          // The status has been sent; what it would have been is in the last line.
          lines.end(problem === null ? { status: 500, error: 'the import has failed' } : problem);
          if (problem === null) throw error;
          return reply;
        }
        if (problem === null) throw error;
        const { status, ...told } = problem;
        return refuse(status, told);
      } finally {
        isUnderWay = false;
      }
    });
  });
}

/** What is told of it; null: it is nobody's fault but ours. */
function problemOf(error: unknown, body: IncomingMessage): { status: number; error: string } | null {
  if (error instanceof ImportError) {
    const { message, problem, path } = error;
    return { status: 400, error: message, ...(path === null ? {} : { path, problem }) };
  }
  if (error instanceof TooLarge) return { status: 413, error: error.message };
  if (error instanceof StoreError) return { status: 500, error: error.message };
  // The client has gone: nobody reads the answer, and it is nobody's fault here.
  if (body.errored !== null) return { status: 400, error: 'the document did not come whole' };
  return null;
}

/** An answer that says how far the import is, a line of JSON at a time; the last one is the report, or what is wrong. */
class ProgressLines {
  readonly #reply: FastifyReply;
  #phase = '';
  /** Told when it is due; null: nothing that is new. */
  #next: ImportProgress | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(reply: FastifyReply) {
    this.#reply = reply;
  }

  get hasBegun(): boolean {
    return this.#phase !== '';
  }

  tell(progress: ImportProgress): void {
    this.#next = progress;
    if (!this.hasBegun) this.#begin();
    // By the clock: where the import has to wait, the last line is what it waits at.
    if (progress.phase !== this.#phase) this.#tellNext();
    else this.#timer ??= setTimeout(() => this.#tellNext(), PROGRESS_MS);
    this.#phase = progress.phase;
  }

  #tellNext(): void {
    this.#stopTimer();
    // A client that does not read is told of the end alone.
    if (this.#next !== null && !this.#reply.raw.writableNeedDrain) this.#send({ progress: this.#next });
    this.#next = null;
  }

  #stopTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  end(last: object): FastifyReply {
    this.#stopTimer();
    if (!this.hasBegun) this.#begin();
    this.#send(last);
    this.#reply.raw.end();
    return this.#reply;
  }

  #begin(): void {
    this.#reply.hijack();
    const { raw } = this.#reply;
    // Whoever has gone is told nothing more; the import goes on.
    raw.on('error', () => raw.destroy());
    raw.writeHead(200, { 'content-type': `${LINES_TYPE}; charset=utf-8`, 'cache-control': 'no-store' });
  }

  #send(line: object): void {
    const { raw } = this.#reply;
    if (!raw.destroyed) raw.write(`${JSON.stringify(line)}\n`);
  }
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
