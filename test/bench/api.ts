/**
 * `api`: calls per second over 64 connections. Beside RegisterInstance stands a bare fastify route that takes the same
 * body and writes one durable SQLite row; beside DiscoverInstances (a service of ten) and GetOperation one that answers
 * a fixed body.
 */
import { join } from 'node:path';
import { type Caller, callerOf, inParallel } from './calls.ts';
import { startDaemon } from './peers/cloudmapd.ts';
import { type BenchOptions, CLOUDMAPD, type Row, type Section } from './report.ts';
import { folder, freePort, ROOT, startPinned } from './support.ts';

const CONNECTIONS = 64;
const SERVICES = 100;
const FLOOR = 'bare fastify';

const FLOOR_SOURCE = `
  import { createRequire } from 'node:module';
  import { DatabaseSync } from 'node:sqlite';
  const { fastify } = createRequire(${JSON.stringify(join(ROOT, 'package.json'))})('fastify');
  const db = new DatabaseSync(${JSON.stringify(join(folder, 'floor.db'))});
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE row (id INTEGER PRIMARY KEY, body TEXT)');
  const insert = db.prepare('INSERT INTO row (body) VALUES (?)');
  const app = fastify();
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
  app.post('/row', async (request) => { const body = JSON.parse(request.body); insert.run(request.body); return { OperationId: body.InstanceId }; });
  app.post('/fixed', async (request, reply) => { JSON.parse(request.body); return reply.send(process.env.FIXED); });
  await app.listen({ port: Number(process.env.PORT), host: '127.0.0.1' });
  console.log('listening');`;

export async function benchApi({ isQuick }: BenchOptions): Promise<Section[]> {
  const [rounds, calls] = isQuick ? [3, 1000] : [3, 3000];
  const daemon = await startDaemon({
    STORE: 'sqlite',
    DATA_DIR: join(folder, 'api'),
    QUOTA_INSTANCES_PER_SERVICE: '0',
    QUOTA_INSTANCES_PER_NAMESPACE: '0',
  });
  const own = callerOf(daemon.http, CONNECTIONS);
  const namespace = await own.createNamespace('bench.internal');
  const ten = await own.createService(namespace, 'ten');
  // Spread over many services, as registrations are; one service of thousands would measure its synthesis.
  const services = await Promise.all(Array.from({ length: SERVICES }, (_, i) => own.createService(namespace, `s${i}`)));
  for (let i = 0; i < 10; i++) await own.register(ten, `i-${i}`, address(i));
  const { OperationId } = (await own.register(ten, 'i-0', address(0))) as { OperationId: string };
  const discovery = { NamespaceName: 'bench.internal', ServiceName: 'ten' };
  const found = JSON.stringify(await own.call('DiscoverInstances', discovery));
  const port = await freePort();
  const env = { FIXED: found, PORT: String(port) };
  await startPinned(process.execPath, ['--input-type=module', '-e', FLOOR_SOURCE], 'listening', env);
  const floor = callerOf(port, CONNECTIONS);

  let registered = 0;
  const register = (caller: Caller, path: string) => (): Promise<unknown> => {
    const i = registered++;
    const Attributes = { AWS_INSTANCE_IPV4: address(i), AWS_INSTANCE_PORT: '8080', stage: 'beta' };
    const body = { ServiceId: services[i % SERVICES], InstanceId: `i-${i}`, Attributes };
    return caller.call('RegisterInstance', body, path);
  };
  const read = (operation: string, body: object) => (caller: Caller, path: string) => () =>
    caller.call(operation, body, path);
  const operations = [
    ['RegisterInstance', '/row', register],
    ['DiscoverInstances', '/fixed', read('DiscoverInstances', discovery)],
    ['GetOperation', '/fixed', read('GetOperation', { OperationId })],
  ] as const;

  const rows: Row[] = [];
  for (const [name, path, callsOf] of operations) {
    const series: Record<string, number[]> = { [CLOUDMAPD]: [], [FLOOR]: [] };
    for (let round = 0; round < rounds; round++) {
      series[CLOUDMAPD]?.push(await rate(calls, callsOf(own, '/')));
      series[FLOOR]?.push(await rate(calls, callsOf(floor, path)));
    }
    rows.push({ name, unit: 'calls/s', series, target: null });
  }
  own.close();
  floor.close();
  const title = `${calls} calls over ${CONNECTIONS} connections, ${rounds} rounds; bare fastify writes one durable SQLite row for RegisterInstance; in brackets cloudmapd's rate as a part of it`;
  return [{ bench: 'api', title, rows, notes: [] }];
}

/** @returns calls per second */
async function rate(calls: number, one: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await inParallel(calls, CONNECTIONS, one);
  return calls / ((performance.now() - started) / 1000);
}

function address(i: number): string {
  return `10.0.${(i >> 8) & 255}.${i & 255}`;
}
