/** Which sockets DNS over UDP has: batched ones where they can be had, plain ones elsewhere. */
import type { SocketChoice, SocketKind } from '../answers/thread-protocol.ts';
import { type ListenUdp, listenUdp } from './udp.ts';
import { loadBatchedUdp } from './udp-batched.ts';

export interface UdpSockets {
  readonly kind: SocketKind;
  readonly listen: ListenUdp;
  /** Why they are plain, where batched ones were looked for. */
  readonly plainReason: string | null;
}

/** @throws Error saying what is missing, where batched ones are insisted on */
export async function chooseUdpSockets(choice: SocketChoice): Promise<UdpSockets> {
  if (choice === 'plain') return { kind: 'plain', listen: listenUdp, plainReason: null };
  try {
    return { kind: 'batched', listen: await loadBatchedUdp(), plainReason: null };
  } catch (error) {
    if (choice === 'batched') throw error;
    const [plainReason = ''] = (error as Error).message.split('\n', 1);
    return { kind: 'plain', listen: listenUdp, plainReason };
  }
}
