/**
 * `api`: calls per second over 64 connections. Beside RegisterInstance stands a bare fastify route that takes the same
 * body and writes one durable SQLite row; beside DiscoverInstances (a service of ten) and GetOperation one that answers
 * a fixed body.
 */
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { folder, median, ROOT, startPinned } from './support.ts';

const CONNECTIONS = 64;
const CALLS = 3000;
const ROUNDS = 3;
const API = 15311;
const FLOOR = 15312;

const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });

function call(port: number, path: string, operation: string, body: object): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        port,
        path,
        agent,
        method: 'POST',
        host: '127.0.0.1',
        headers: {
          'content-type': 'application/x-amz-json-1.1',
          'x-amz-target': `Route53AutoNaming_v20170314.${operation}`,
        },
      },
      (response) => {
        let text = '';
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () => {
          if (response.statusCode === 200) resolve(JSON.parse(text));
          else reject(new Error(`${operation}: ${text}`));
        });
      },
    );
    sent.on('error', reject);
    sent.end(JSON.stringify(body));
  });
}

/** @returns calls per second, where so many as there are connections are under way */
async function rate(port: number, path: string, operation: string, bodyOf: (i: number) => object): Promise<number> {
  const started = performance.now();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < CALLS) await call(port, path, operation, bodyOf(next++));
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
  return CALLS / ((performance.now() - started) / 1000);
}

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
  await app.listen({ port: ${FLOOR}, host: '127.0.0.1' });
  console.log('listening');`;

export async function benchApi(): Promise<void> {
  await startPinned(process.execPath, [join(ROOT, 'src/main.ts'), 'serve'], 'cloudmapd is ready', {
    CLOUDMAPD_HTTP: `127.0.0.1:${API}`,
    CLOUDMAPD_DNS: '127.0.0.1:0',
    CLOUDMAPD_DATA_DIR: join(folder, 'data'),
    CLOUDMAPD_QUOTA_INSTANCES_PER_SERVICE: '0',
    CLOUDMAPD_QUOTA_INSTANCES_PER_NAMESPACE: '0',
  });
  const { OperationId } = await call(API, '/', 'CreatePrivateDnsNamespace', { Name: 'bench.internal', Vpc: 'vpc' });
  const { Operation } = await call(API, '/', 'GetOperation', { OperationId });
  const { NAMESPACE } = (Operation as { Targets: { NAMESPACE: string } }).Targets;
  const createService = async (Name: string): Promise<string> => {
    const DnsConfig = { DnsRecords: [{ Type: 'A', TTL: 10 }] };
    const { Service } = await call(API, '/', 'CreateService', { Name, NamespaceId: NAMESPACE, DnsConfig });
    return (Service as { Id: string }).Id;
  };
  const ten = await createService('ten');
  // Spread over many services, as registrations are; one service of thousands would measure its synthesis.
  const services = await Promise.all(Array.from({ length: 100 }, (_, i) => createService(`s${i}`)));
  const registration = (ServiceId: string, i: number): object => ({
    ServiceId,
    InstanceId: `i-${i}`,
    Attributes: { AWS_INSTANCE_IPV4: `10.0.${(i >> 8) & 255}.${i & 255}`, AWS_INSTANCE_PORT: '8080', stage: 'beta' },
  });
  for (let i = 0; i < 10; i++) await call(API, '/', 'RegisterInstance', registration(ten, i));
  const discovery = { NamespaceName: 'bench.internal', ServiceName: 'ten' };
  const found = JSON.stringify(await call(API, '/', 'DiscoverInstances', discovery));
  const operation = JSON.stringify(await call(API, '/', 'GetOperation', { OperationId }));
  await startPinned(process.execPath, ['--input-type=module', '-e', FLOOR_SOURCE], 'listening', { FIXED: found });

  let registered = 0;
  const pairs: [string, () => Promise<number>, () => Promise<number>][] = [
    [
      'RegisterInstance',
      () => rate(API, '/', 'RegisterInstance', () => registration(services[registered % 100] as string, registered++)),
      () => rate(FLOOR, '/row', 'RegisterInstance', (i) => registration(services[i % 100] as string, i)),
    ],
    [
      'DiscoverInstances',
      () => rate(API, '/', 'DiscoverInstances', () => discovery),
      () => rate(FLOOR, '/fixed', 'DiscoverInstances', () => discovery),
    ],
    [
      'GetOperation',
      () => rate(API, '/', 'GetOperation', () => ({ OperationId })),
      () => rate(FLOOR, '/fixed', 'GetOperation', () => ({ OperationId })),
    ],
  ];
  console.log(
    `api: ${CALLS} calls over ${CONNECTIONS} connections, ${ROUNDS} rounds; floor: bare fastify, for RegisterInstance with one durable SQLite row (replies of ${found.length} and ${operation.length} octets)`,
  );
  for (const [name, own, floor] of pairs) {
    const figures: [number, number][] = [];
    for (let round = 0; round < ROUNDS; round++) figures.push([await own(), await floor()]);
    const [a, b] = [median(figures.map(([x]) => x)), median(figures.map(([, y]) => y))];
    const ratio = median(figures.map(([x, y]) => x / y));
    console.log(`  ${name.padEnd(18)} ${Math.round(a)} calls/s, floor ${Math.round(b)}: ${ratio.toFixed(2)} of it`);
  }
  agent.destroy();
}
