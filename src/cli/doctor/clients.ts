/** What clients of the API may stumble over: the endpoint's names and addresses. */
import { isIP, isIPv6 } from 'node:net';
import { formatAddress } from '../../publish/publisher.ts';
import type { DaemonFacts, Facts } from './facts.ts';
import { type Finding, note, ok, problem } from './finding.ts';

export function dataPrefix({ endpoint, prefix, daemon }: Facts): Finding[] {
  const { host, addresses, hostAddresses, switchedOffBy } = prefix;
  if (switchedOffBy !== null) {
    return [ok('data-prefix', `${switchedOffBy} has the AWS CLI and SDKs leave \`data-\` out`)];
  }
  const isSame = addresses.length > 0 && addresses.every((address) => hostAddresses.includes(address));
  if (isSame)
    return [ok('data-prefix', `${host}, which SDKs ask for DiscoverInstances, resolves as the endpoint does`)];
  const dns = typeof daemon === 'string' ? null : daemon.dns;
  const name = dns?.ownName ?? 'cloudmap';
  const address = hostAddresses[0] ?? '127.0.0.1';
  const isName = isIP(endpoint.hostname.replace(/^\[|\]$/g, '')) === 0 && endpoint.hostname !== 'localhost';
  const hosts = isName ? `${address} ${endpoint.hostname} ${host}` : `${address} ${name} data-${name}`;
  const port = endpoint.port === '' ? '' : `:${endpoint.port}`;
  const lines = [
    'export AWS_DISABLE_HOST_PREFIX_INJECTION=true',
    '# or, for clients that do not know that:',
    `echo '${hosts}' | sudo tee -a /etc/hosts`,
    ...(isName ? [] : [`# and the endpoint http://${name}${port}`]),
  ];
  const what =
    addresses.length === 0
      ? `SDKs ask ${host} for DiscoverInstances, which does not resolve`
      : `SDKs ask ${host} for DiscoverInstances, which is ${addresses.join(', ')} and not ${hostAddresses.join(', ')}`;
  // A name was made for clients to use; an address is what everybody begins with.
  return [isName ? problem('data-prefix', what, lines) : note('data-prefix', what, lines)];
}

/** A name of both families, of which the daemon has one: clients that try the other first wait, or give up. */
export function ipv6({ endpoint, endpointAddresses }: Facts, { listeners: all }: DaemonFacts): Finding[] {
  const lost = endpointAddresses.filter(({ isReached }) => !isReached).map(({ address }) => address);
  if (lost.length === 0) return [];
  const port = endpoint.port || '80';
  const reached = endpointAddresses.filter(({ isReached }) => isReached).map(({ address }) => address);
  const both = [...reached, ...lost].map((address) => formatAddress({ address, port: Number(port) }));
  const dns = all.map(({ endpoint: own }) => formatAddress(own));
  const more = lost
    .filter(isIPv6)
    .flatMap((address) =>
      dns.some((each) => each.startsWith('['))
        ? []
        : `CLOUDMAPD_DNS=${[...dns, formatAddress({ address, port: all[0]?.endpoint.port ?? 53 })].join(',')}`,
    );
  return [
    note(
      'ipv6',
      `${endpoint.hostname} is ${lost.join(', ')} too, where the daemon does not listen: some clients try that first`,
      [`CLOUDMAPD_HTTP=${both.join(',')}`, ...more.slice(0, 1)],
    ),
  ];
}
