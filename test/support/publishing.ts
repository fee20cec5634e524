/** Answering threads without a daemon around them. */
import { Publisher, type PublisherEvents, type PublisherOptions } from '../../src/publish/publisher.ts';
import { compileLocalNames, compileLocalTails, type LocalOptions } from '../../src/synthesis/local-names.ts';

const LOCAL: LocalOptions = {
  records: [],
  ownName: null,
  soaTtlSeconds: 5,
  maxTtlSeconds: null,
  addresses: { ipv4: [], ipv6: [] },
};

/** One thread on any port of loopback with plain sockets, that forwards nothing, where nothing else is said. */
export function startPublisher(
  options: Partial<PublisherOptions> = {},
  events: Partial<PublisherEvents> = {},
): Promise<Publisher> {
  return Publisher.start(
    {
      listen: [{ address: '127.0.0.1', port: 0 }],
      sockets: 'plain',
      forwarding: { isOn: false, upstreams: null, rules: [], singleLabel: null, cacheBytes: 0, staleSeconds: 0 },
      clients: ['127.0.0.0/8'],
      localNames: compileLocalNames(LOCAL),
      localTails: compileLocalTails(LOCAL),
      maxTtlSeconds: null,
      seed: 1,
      threads: 1,
      ...options,
    },
    {
      onReplaced: () => undefined,
      onReplaceFailed: () => undefined,
      onAddress: () => undefined,
      onLoop: () => undefined,
      ...events,
    },
  );
}
