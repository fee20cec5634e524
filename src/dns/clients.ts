/** Whose queries are forwarded. */
import { BlockList, isIPv6 } from 'node:net';

/** Whoever has sent the query that is being answered. */
export interface Client {
  /** Whether names outside our zones are looked up for it. Asked only where that matters. */
  mayRecurse(): boolean;
}

/** Answers remembered, lest each query is compared with each block. */
const MAX_REMEMBERED = 1000;

export class Clients {
  readonly #blocks = new BlockList();
  readonly #remembered = new Map<string, boolean>();
  readonly #rememberedIpv4 = new Map<number, boolean>();

  /** @param blocks CIDR */
  constructor(blocks: readonly string[]) {
    for (const block of blocks) {
      const [address, prefix] = block.split('/') as [string, string];
      this.#blocks.addSubnet(address, Number(prefix), isIPv6(address) ? 'ipv6' : 'ipv4');
    }
  }

  /** @param address as sockets report it, perhaps with a zone id */
  areServed(address: string): boolean {
    const known = this.#remembered.get(address);
    if (known !== undefined) return known;
    const bare = address.split('%', 1)[0] as string;
    const isServed = this.#blocks.check(bare, isIPv6(bare) ? 'ipv6' : 'ipv4');
    if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear();
    this.#remembered.set(address, isServed);
    return isServed;
  }

  /** @param address as one number */
  areServedIpv4(address: number): boolean {
    const known = this.#rememberedIpv4.get(address);
    if (known !== undefined) return known;
    const octets = [address >>> 24, (address >>> 16) & 0xff, (address >>> 8) & 0xff, address & 0xff];
    const isServed = this.#blocks.check(octets.join('.'), 'ipv4');
    if (this.#rememberedIpv4.size >= MAX_REMEMBERED) this.#rememberedIpv4.clear();
    this.#rememberedIpv4.set(address, isServed);
    return isServed;
  }
}

/** A client known by the text of its address; one for all queries of a socket. */
export class AddressedClient implements Client {
  address = '';
  readonly #clients: Clients;

  constructor(clients: Clients) {
    this.#clients = clients;
  }

  mayRecurse(): boolean {
    return this.#clients.areServed(this.address);
  }
}
