/** What the main thread and an answering thread say to each other. */
export interface ListenAddress {
  readonly address: string;
  /** 0 = any, the same for UDP and TCP. */
  readonly port: number;
}

/** What becomes of names outside our zones: the upstreams that are asked, or one of the fixed answers. */
export type RuleAction =
  | { readonly kind: 'ask'; readonly upstreams: readonly ListenAddress[] }
  | { readonly kind: 'refuse' | 'nxdomain' | 'localhost' };

export interface Forwarding {
  /** Whether anything is forwarded at all. */
  readonly isOn: boolean;
  /** Asked for names that no rule names; null: those are not forwarded. */
  readonly upstreams: readonly ListenAddress[] | null;
  /** Lower-case suffixes; of two with one suffix the first counts, of several the longest. */
  readonly rules: readonly { readonly suffix: string; readonly action: RuleAction }[];
  /** What becomes of names of one label that no rule names; null: what becomes of all others. */
  readonly singleLabel: RuleAction | null;
  /** Octets; 0: nothing is kept. */
  readonly cacheBytes: number;
  /** For how long an ended answer is kept for when no upstream answers. */
  readonly staleSeconds: number;
}

/** Sockets of DNS over UDP: many datagrams per system call, or one. */
export type SocketKind = 'batched' | 'plain';
export const SOCKET_CHOICES = ['auto', 'batched', 'plain'] as const;
/** `auto`: batched where they can be had. */
export type SocketChoice = (typeof SOCKET_CHOICES)[number];

/** What a looping upstream was asked: all names, those below a rule's suffix, or (null) those of one label. */
export type LoopNames = 'all' | { readonly suffix: string | null };

/**
 * How a thread comes by its ports: `alone` nobody else can bind them; of several threads, whose sockets share each port,
 * the `first` makes sure that nobody else is there, and the others `join` those that are.
 */
export type PortSharing = 'alone' | 'first' | 'join';

/** What threads that answer on the same ports have in common. */
export interface Siblings {
  /** All of them. */
  readonly count: number;
  /** Makes one know the questions by which another looks for loops. */
  readonly loopKey: Uint8Array;
}

/** What queries for a name are to meet instead of an answer. */
export interface InjectedFault {
  /** Lower case, in wire form. */
  readonly name: Uint8Array;
  /** Null: all types. */
  readonly type: number | null;
  /** Names below it too. */
  readonly isBelow: boolean;
  readonly kind: 'servfail' | 'delay' | 'drop' | 'truncate';
  readonly delayMs: number;
  /** Of a hundred queries, by chance. */
  readonly percent: number;
  /** Epoch ms; null: it does not end by itself. */
  readonly untilMs: number | null;
}

/** Given to a thread when it starts. */
export interface ThreadOptions {
  readonly listen: readonly ListenAddress[];
  /** Whether a thread before or beside it listens there. */
  readonly isReplacement: boolean;
  readonly sharing: PortSharing;
  /** Null: it is the only thread. */
  readonly siblings: Siblings | null;
  readonly forwarding: Forwarding;
  /** CIDR blocks whose clients' queries are forwarded. */
  readonly clients: readonly string[];
  /** A snapshot of zones of one name each, looked into behind the published ones. */
  readonly localNames: Uint8Array;
  /** Compiled records: TYPE, CLASS, TTL, RDLENGTH, RDATA. */
  readonly localTails: {
    readonly soa: Uint8Array;
    readonly localhostA: Uint8Array;
    readonly localhostAaaa: Uint8Array;
  };
  /** Caps TTLs of what upstreams answered, in seconds; null: as they are. */
  readonly maxTtlSeconds: number | null;
  readonly sockets: SocketChoice;
  /** Of the generator that mixes answers. */
  readonly seed: number;
  /** What it counts in, which outlives it. */
  readonly counters: SharedArrayBuffer;
}

/** A query that somebody who looks on is shown. */
export interface SeenQuery {
  /** When it was answered, epoch ms. */
  readonly at: number;
  /** A place among TRANSPORTS. */
  readonly transport: number;
  readonly client: string;
  /** A number of OUTCOME, or DROPPED. */
  readonly outcome: number;
  readonly microseconds: number;
  /** The whole reply; empty: there was none. */
  readonly reply: Uint8Array;
}

/** What a thread knows of names outside, since it began. */
export interface ResolverFigures {
  readonly cacheEntries: number;
  readonly cacheBytes: number;
  readonly upstreams: readonly UpstreamFigures[];
  /** Upper ends of the upstreams' buckets, in seconds. */
  readonly bounds: readonly number[];
}

export interface UpstreamFigures extends ListenAddress {
  /** Sent to it, over UDP or TCP. */
  readonly queries: number;
  /** Times that it was silent, could not be reached, or gave nothing of use. */
  readonly failures: number;
  /** Its useful replies over UDP by how long they took: of each of the bounds, and one of what took longer. */
  readonly buckets: readonly number[];
  readonly sumSeconds: number;
}

/** A query that nobody has sent. */
export interface TrialQuery {
  readonly query: Uint8Array;
  /** Whose it would be. */
  readonly from: string;
  /** The address that it would ask; null: not known. */
  readonly to: string | null;
  readonly overTcp: boolean;
}

/** How it is answered. */
export interface Trial {
  /** Empty: nothing would be sent. */
  readonly reply: Uint8Array;
  /** Where the reply came from: a name of `OUTCOMES`. */
  readonly outcome: string;
  readonly tookMs: number;
  /** Whether names outside are looked up for that client. */
  readonly mayRecurse: boolean;
  /** The QNAME, and what its CNAMEs lead to. */
  readonly names: readonly TriedName[];
  /** Of a chain that goes in a circle: the place among them that the last one leads back to; null: it goes in none. */
  readonly leadsBackTo: number | null;
}

/** What a thread has of one name. */
export interface TriedName {
  /** Wire form, lower case. */
  readonly name: Uint8Array;
  /** In a zone that was published. */
  readonly isRegistered: boolean;
  /** Of the settings: looked into where it is not registered. */
  readonly isLocal: boolean;
  /** What becomes of it where it is neither. */
  readonly route: TriedRoute;
}

export interface TriedRoute {
  readonly kind: RuleAction['kind'] | 'default';
  /** The rule's, in wire form; null: no rule names it. */
  readonly suffix: Uint8Array | null;
  /** It is the setting for names of one label that decides. */
  readonly isSingleLabel: boolean;
  /** Null: nobody is asked. */
  readonly upstreams: readonly TriedUpstream[] | null;
  /** What is known of the question; null: nothing is. */
  readonly held: TriedHeld | null;
}

export interface TriedHeld {
  /** When it came, and when it ends: epoch ms. */
  readonly storedAtMs: number;
  readonly expiresAtMs: number;
  /** Whole seconds since it came. */
  readonly ageSeconds: number;
  /** As the upstream gave them: of each record of its answer, then of its authority section. */
  readonly ttls: readonly number[];
}

export interface TriedUpstream extends ListenAddress {
  /** It leads back to this daemon, and is not asked. */
  readonly isLooping: boolean;
  /** It has failed since it last replied. */
  readonly isDown: boolean;
  /** Smoothed; null: not known. */
  readonly rttMs: number | null;
}

export type ToThread =
  | { kind: 'delta'; sequence: number; delta: Uint8Array }
  /** Whatever leads back to the daemon arrives at a thread that answers. */
  | { kind: 'serve' }
  /** For names that no rule names, or for those of one label, from now on. */
  | { kind: 'upstreams'; upstreams: readonly ListenAddress[]; which: 'default' | 'single-label' }
  /** Instead of those of `ThreadOptions`, from now on. */
  | { kind: 'local-names'; sequence: number; delta: Uint8Array }
  /** @see Resolver.flush */
  | { kind: 'flush'; sequence: number; name: string | null; isBelow: boolean }
  /** For `explain`. */
  | { kind: 'try'; sequence: number; trial: TrialQuery }
  /** What upstreams have said and how they are is forgotten, and answers are mixed as from the start. */
  | { kind: 'reset'; sequence: number }
  /** In place of those before. */
  | { kind: 'faults'; sequence: number; faults: readonly InjectedFault[] }
  /** @see LoopWatch.heard */
  | { kind: 'probe-heard'; nonce: string }
  /** Shows one of so many queries, as chance has it, to the main thread; 1: all; 0: none. */
  | { kind: 'watch'; sequence: number; every: number }
  /** The main thread has taken in what it was shown, and may be shown more. */
  | { kind: 'queries-taken' }
  | { kind: 'figures'; sequence: number }
  | { kind: 'close' };

export type FromThread =
  | {
      /** Of one that joins others: it will be, when it is filled, and the addresses are theirs. */
      kind: 'bound';
      addresses: ListenAddress[];
      /** Wildcard IPv6 addresses that the machine has no IPv6 for. */
      skipped: ListenAddress[];
      sockets: SocketKind;
      /** Why they are plain, where batched ones were looked for. */
      plainReason: string | null;
    }
  /** Batched sockets were insisted on and cannot be had. */
  | { kind: 'sockets-failed'; message: string }
  | { kind: 'bind-failed'; address: ListenAddress; transport: 'UDP' | 'TCP'; code: string; message: string }
  /** An address that came up under a wildcard answers from now on, or why it does not. */
  | { kind: 'address'; at: ListenAddress; error: string | null }
  /** An upstream leads back to this daemon, or does no more. */
  | { kind: 'loop'; upstream: ListenAddress; names: LoopNames; isLoop: boolean }
  /** The question by which a sibling looks for loops came in here. */
  | { kind: 'probe-heard'; nonce: string }
  | { kind: 'ack'; sequence: number }
  | { kind: 'flushed'; sequence: number; count: number }
  | { kind: 'tried'; sequence: number; trial: Trial }
  /** `every` as in `watch`, when they were answered; `leftOut`: so many more that were to be shown. */
  | { kind: 'queries'; every: number; queries: readonly SeenQuery[]; leftOut: number }
  /** Of 0: nobody has asked for them. */
  | { kind: 'figures'; sequence: number; figures: ResolverFigures }
  | { kind: 'closed' };
