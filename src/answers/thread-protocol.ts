/** What the main thread and an answering thread say to each other. */
export interface ListenAddress {
  readonly address: string;
  /** 0 = any, the same for UDP and TCP. */
  readonly port: number;
}

/** Given to a thread when it starts. */
export interface ThreadOptions {
  readonly listen: readonly ListenAddress[];
  /** Whether a thread before it listened there. */
  readonly isReplacement: boolean;
  readonly forwarding: {
    /** Asked in this order; none: nothing is forwarded. */
    readonly upstreams: readonly ListenAddress[];
    /** CIDR blocks whose clients are served. */
    readonly clients: readonly string[];
  };
  /** Of the generator that mixes answers. */
  readonly seed: number;
}

export type ToThread = { kind: 'delta'; sequence: number; delta: Uint8Array } | { kind: 'close' };

export type FromThread =
  | {
      kind: 'bound';
      addresses: ListenAddress[];
      /** Wildcard IPv6 addresses that the machine has no IPv6 for. */
      skipped: ListenAddress[];
    }
  | { kind: 'bind-failed'; address: ListenAddress; transport: 'UDP' | 'TCP'; code: string; message: string }
  /** An address that came up under a wildcard answers from now on, or why it does not. */
  | { kind: 'address'; address: string; error: string | null }
  | { kind: 'ack'; sequence: number }
  | { kind: 'closed' };
