/** Token buckets for the calls that AWS throttles (Cloud Map: quotas of DiscoverInstances). */
import { ServiceError } from '../registry/errors.ts';

/** A burst may take so many seconds' worth at once, as AWS's 2000 to 1000. */
const BURST_SECONDS = 2;

export interface Throttle {
  /** Takes one token. @throws ServiceError RequestLimitExceeded where there is none */
  (): void;
  /** A whole burst may come again. */
  refill(): void;
}

/**
 * @param perSecond 0 = unlimited
 * @param clock epoch ms
 */
export function createThrottle(perSecond: number, clock: () => number): Throttle {
  if (perSecond === 0) return Object.assign(() => undefined, { refill: () => undefined });
  const capacity = perSecond * BURST_SECONDS;
  let tokens = capacity;
  let filledAt = clock();
  const take = (): void => {
    const now = clock();
    tokens = Math.min(capacity, tokens + (Math.max(0, now - filledAt) / 1000) * perSecond);
    filledAt = now;
    if (tokens < 1) throw new ServiceError('RequestLimitExceeded', `More than ${perSecond} calls per second.`);
    tokens--;
  };
  const refill = (): void => {
    tokens = capacity;
    filledAt = clock();
  };
  return Object.assign(take, { refill });
}
