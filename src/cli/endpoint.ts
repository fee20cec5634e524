/** Where the daemon is that a command asks, for commands that need one that runs. */
import { parseEndpoint } from './daemon-client.ts';
import { DEFAULT_ENDPOINT } from './target.ts';

export interface EndpointFlags {
  readonly endpoint?: string;
}

/** @throws UsageError */
export function endpointOf(flags: EndpointFlags, env: Readonly<Record<string, string | undefined>>): URL {
  if (flags.endpoint !== undefined) return parseEndpoint(flags.endpoint, '--endpoint');
  return parseEndpoint(env.CLOUDMAPD_ENDPOINT || DEFAULT_ENDPOINT, 'CLOUDMAPD_ENDPOINT');
}
