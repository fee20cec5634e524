/** Memory that is in use, without what the collector has merely not come to. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
// The flag gives `gc` to contexts that are made after it.
const collect = runInNewContext('gc') as () => void;

/** Octets of objects and buffers that live on after a collection. */
export function bytesInUse(): number {
  // Finalizers of the first pass let go of what the second one frees.
  collect();
  collect();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + Math.max(external, arrayBuffers);
}
