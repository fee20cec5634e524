/** `scale-export.ts FILE INSTANCES`: writes what `cloudmapd import` takes, with so many instances, ten to a service. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { TTL_SECONDS } from './peers/peer.ts';
import { scaleZones } from './scale-content.ts';

const PIECE_CHARACTERS = 1 << 20;
const [file, instances] = process.argv.slice(2) as [string, string];
const zones = scaleZones(Number(instances));
const now = Date.now();
const idOf = (prefix: string, n: number): string => `${prefix}-${n.toString(36).padStart(16, '0')}`;

function* namespaces(): Generator<object> {
  for (const [n, { apex }] of zones.entries())
    yield { id: idOf('ns', n), name: apex, httpName: apex, type: 'DNS_PRIVATE', vpc: 'vpc-1', createdAt: now };
}

function* services(): Generator<object> {
  let at = 0;
  for (const [n, { apex, hosts }] of zones.entries()) {
    for (const { name } of hosts) {
      yield {
        id: idOf('srv', at++),
        namespaceId: idOf('ns', n),
        name: name.slice(0, -apex.length - 1),
        dns: { routingPolicy: 'MULTIVALUE', records: [{ type: 'A', ttlSeconds: TTL_SECONDS }] },
        createdAt: now,
        revision: now + at,
      };
    }
  }
}

function* allInstances(): Generator<object> {
  let at = 0;
  for (const { hosts } of zones) {
    for (const { addresses } of hosts) {
      const serviceId = idOf('srv', at++);
      for (const [i, address] of addresses.entries()) {
        const attributes = { AWS_INSTANCE_IPV4: address, AWS_INSTANCE_PORT: '8080' };
        yield { serviceId, id: `i-${i}`, attributes, registeredAt: now };
      }
    }
  }
}

function* text(): Generator<string> {
  yield '{"cloudmapd":1,\n"namespaces":[';
  yield* listOf(namespaces());
  yield '],\n"services":[';
  yield* listOf(services());
  yield '],\n"instances":[';
  yield* listOf(allInstances());
  yield ']}\n';
}

function* listOf(records: Iterable<object>): Generator<string> {
  let separator = '\n';
  for (const record of records) {
    yield separator + JSON.stringify(record);
    separator = ',\n';
  }
}

const fd = openSync(file, 'w');
let piece = '';
for (const part of text()) {
  piece += part;
  if (piece.length < PIECE_CHARACTERS) continue;
  writeSync(fd, piece);
  piece = '';
}
writeSync(fd, piece);
closeSync(fd);
