/** The sockets that upstreams may have open together: a process may often open 1,024 files, or fewer. */
import { readFileSync } from 'node:fs';

/** Of one upstream (RFC 5452 s4: as many ports as a forger has to guess among). */
export const POOL_SOCKETS = 512;
/** An upstream that has so many sockets makes do with them where the budget is spent. */
export const FEW_SOCKETS = 16;
/** Descriptors that are left to clients, probes and the store. */
const RESERVED_FILES = 424;
const MIN_BUDGET = 64;
/** Four full pools; upstreams beyond share. */
const MAX_BUDGET = 4 * POOL_SOCKETS;

/** The sockets of one upstream. */
export interface SocketPool {
  readonly size: number;
  /** Closes a socket without a query under way. @returns whether there is one */
  closeIdle(): boolean;
}

export class SocketBudget {
  readonly pools = new Set<SocketPool>();
  limit: number;
  /** Those under way to be closed count too. */
  open = 0;

  /** @param threads that share the files; @param files that the process may have open */
  constructor(threads = 1, files = filesAllowed()) {
    const share = Math.floor(Math.max(MIN_BUDGET, files - RESERVED_FILES) / threads);
    this.limit = Math.max(FEW_SOCKETS, Math.min(MAX_BUDGET, share));
  }

  /** The system has refused to open one more. */
  shrink(): void {
    this.limit = Math.max(FEW_SOCKETS, Math.min(this.limit, this.open - FEW_SOCKETS));
  }

  /** Has the largest of the other pools make room. @returns whether it could */
  takeFor(pool: SocketPool): boolean {
    let largest: SocketPool | null = null;
    for (const other of this.pools) {
      if (other !== pool && (largest === null || other.size > largest.size)) largest = other;
    }
    return largest?.closeIdle() ?? false;
  }
}

/** The soft limit, which Node raises to the hard one as it starts; 1,024 where it cannot be read. */
function filesAllowed(): number {
  try {
    const line = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
    return line === null ? Number.MAX_SAFE_INTEGER : Number(line[1]);
  } catch {
    // Not Linux.
    return 1024;
  }
}
