/**
 * `thread-memory.ts FOLDER` (with --expose-gc): prints what the zones of an answering thread hold in memory, in octets,
 * for the store in the folder.
 */
import { ZoneSet } from '../../src/answers/zone-set.ts';
import { loadConfiguration, registryOptions } from '../../src/config.ts';
import { Registry } from '../../src/registry/registry.ts';
import { openSqliteStore } from '../../src/store/sqlite.ts';
import { Synthesizer } from '../../src/synthesis/synthesizer.ts';

/** A snapshot in one piece or in several. */
function piecesOf(snapshot: Uint8Array | Iterable<Uint8Array>): Iterable<Uint8Array> {
  return snapshot instanceof Uint8Array ? [snapshot] : snapshot;
}

function heldBytes(): number {
  for (let i = 0; i < 3; i++) globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

const store = openSqliteStore(process.argv[2] as string);
const registry = await Registry.open({
  store,
  options: registryOptions(loadConfiguration({}, {})),
  clock: Date.now,
  random: (bound) => Math.floor(Math.random() * bound),
});
const synthesizer = new Synthesizer(registry.state, {
  fallback: 'last-healthy',
  maxTtlSeconds: null,
  soaTtlSeconds: 5,
  hasPtr: false,
  nameServers: { ipv4: ['127.0.0.1'], ipv6: [], areWildcard: false },
});
// They are held before and after, and so no part of the difference.
const pieces = [...piecesOf(synthesizer.snapshot())];
const before = heldBytes();
const zones = new ZoneSet();
for (const piece of pieces) zones.apply(piece);
const held = heldBytes() - before;
if (!zones.isFilled || pieces.length === 0) throw new Error('the zones are not filled');
process.stdout.write(`${held}\n`);
await store.close();
