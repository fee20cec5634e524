/** Has parts that know nothing of metrics counted from outside. */
import type { Probe } from './health/probe.ts';
import type { Store } from './store/store.ts';
import type { DaemonMeters } from './telemetry/daemon-meters.ts';

export function countProbes(probe: Probe, meters: DaemonMeters): Probe {
  return async (target, timeouts, signal) => {
    const result = await probe(target, timeouts, signal);
    // One that was called off has no result.
    if (!signal.aborted) meters.probes.add([target.type, result.kind]);
    return result;
  };
}

/** From the next commit on. */
export function countCommits(store: Store, meters: DaemonMeters): void {
  const commit = store.commit.bind(store);
  store.commit = async (changes, basis) => {
    const beganMs = performance.now();
    let result = 'failed';
    try {
      const revision = await commit(changes, basis);
      result = 'ok';
      return revision;
    } finally {
      meters.commits.add([result]);
      meters.commitSeconds.add([], (performance.now() - beganMs) / 1000);
    }
  };
}
