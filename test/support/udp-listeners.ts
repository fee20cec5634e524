/** The kinds of UDP listeners that this machine has, for tests that both must pass. */
import { type ListenUdp, listenUdp } from '../../src/dns/udp.ts';
import { loadBatchedUdp } from '../../src/dns/udp-batched.ts';

/** Where batched sockets are meant to work they must: what keeps them from it fails the tests. */
export const HAS_BATCHED = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch);

export const UDP_LISTENERS: readonly (readonly [kind: string, listen: ListenUdp])[] = [
  ['plain', listenUdp],
  ...(HAS_BATCHED ? [['batched', await loadBatchedUdp()] as const] : []),
];
