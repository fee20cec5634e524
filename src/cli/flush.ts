/** `cloudmapd flush [NAME]`: what upstreams have answered is forgotten. */
import { ApiClient, type AskFlags, endpointOf } from './api-client.ts';
import { UsageError } from './command.ts';
import { count } from './count.ts';
import { writeResult } from './result.ts';

export interface FlushFlags extends AskFlags {
  readonly below?: boolean;
}

/** @param name null: all */
export async function flush(name: string | null, flags: FlushFlags, env: NodeJS.ProcessEnv): Promise<void> {
  const { below = false, json } = flags;
  if (below && name === null) throw new UsageError('flush: --below goes with a name');
  const api = new ApiClient(endpointOf(flags, env));
  const body = name === null ? {} : { name, below };
  const { flushed } = await api.admin<{ flushed: number }>('POST', '/admin/flush', 'flushed', body);
  await writeResult(json, { flushed }, () => [`${count(flushed, 'answer')} forgotten`]);
}
