/** `GET /admin/backup`: the store's file as of now, made while calls go on. */
import type { FileHandle } from 'node:fs/promises';
import type { FastifyInstance } from 'fastify';
import { type Store, StoreError } from '../store/store.ts';

/** A client that takes nothing for so long is cut off: the copy keeps its room on the disk until it is sent. */
const STALLED_MS = 60_000;
const CHUNK_BYTES = 256 * 1024;

/** One at a time, as each takes as much room on the disk as the store itself. */
export function registerBackup(app: FastifyInstance, store: () => Store | null): void {
  let isBusy = false;
  app.get('/admin/backup', async (request, reply) => {
    const opened = store();
    if (opened === null) return reply.code(503).send({ error: 'the state is being loaded' });
    if (opened.backup === undefined) {
      return reply.code(409).send({ error: 'the store of this daemon has no file (CLOUDMAPD_STORE): export instead' });
    }
    if (isBusy) return reply.code(503).send({ error: 'another backup is under way: try again when it has ended' });
    isBusy = true;
    const gone = new AbortController();
    const { socket } = request.raw;
    const leave = (): void => gone.abort(new Error('the client is gone'));
    socket.once('close', leave);
    let file: FileHandle | null = null;
    try {
      file = await opened.backup(gone.signal);
      const { size } = await file.stat();
      gone.signal.throwIfAborted();
      const stream = file.createReadStream({ highWaterMark: CHUNK_BYTES });
      // Emitted once the handle is closed, however the sending ended.
      stream.once('close', () => {
        isBusy = false;
      });
      socket.setTimeout(STALLED_MS, () => socket.destroy());
      return reply
        .headers({
          'content-type': 'application/vnd.sqlite3',
          'content-length': size,
          'content-disposition': 'attachment; filename="cloudmapd.db"',
          // Whatever comes next has time limits of its own.
          connection: 'close',
        })
        .send(stream);
    } catch (error) {
      await file?.close();
      isBusy = false;
      if (!(error instanceof StoreError || gone.signal.aborted)) throw error;
      return reply.code(500).send({ error: (error as Error).message });
    } finally {
      socket.off('close', leave);
    }
  });
}
