/** What a start leaves to be done once it has ended, when nobody waits for it any more. */
import { flushCompileCache } from 'node:module';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Whoever waits for the daemon asks first. */
const DELAY_MS = 1000;
/** A heap that holds more has a registry in it, which takes long to go through, and is collected as it is used. */
const MAX_USED_BYTES = 64 * 1024 * 1024;

/** Some 30 ms of the main thread, once; DNS goes on. */
export function tidyAfterStart(): void {
  setTimeout(() => {
    // Otherwise it is written at the end, which a kill leaves no time for.
    flushCompileCache();
    if (getHeapStatistics().used_heap_size <= MAX_USED_BYTES) giveBackMemory();
  }, DELAY_MS).unref();
}

/** What loading and compiling threw away, and the room that it took: V8 gives it back by itself after much use only. */
function giveBackMemory(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as NodeJS.GCFunction;
  setFlagsFromString('--no-expose-gc');
  // Of all kinds the one after which the heap is no larger than what is in it.
  void collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}
