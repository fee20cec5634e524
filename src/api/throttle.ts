/** Token buckets for the calls that AWS throttles (Cloud Map: quotas of DiscoverInstances). */
import { ServiceError } from '../registry/errors.ts';

/** A burst may take so many seconds' worth at once, as AWS's 2000 to 1000. */
const BURST_SECONDS = 2;

/**
 * @param perSecond 0 = unlimited
 * @param clock epoch ms
 * @returns takes one token; throws ServiceError RequestLimitExceeded where there is none
 */
export function createThrottle(perSecond: number, clock: () => number): () => void {
  if (perSecond === 0) return () => undefined;
  const capacity = perSecond * BURST_SECONDS;
  let tokens = capacity;
  let filledAt = clock();
  return () => {
    const now = clock();
    tokens = Math.min(capacity, tokens + (Math.max(0, now - filledAt) / 1000) * perSecond);
    filledAt = now;
    if (tokens < 1) throw new ServiceError('RequestLimitExceeded', `More than ${perSecond} calls per second.`);
    tokens--;
  };
}
