/** What a test suite starts cloudmapd by. */

/**
 * Starts a daemon in a thread of this process: on 127.0.0.1, on free ports, with the memory store. Any number of them may
 * run. Nothing is read from the environment, and nothing of the process is changed. Resolves when the API and DNS answer.
 * Rejects with one line that says what of the options is wrong; then nothing is left running.
 */
export declare function start(options?: StartOptions): Promise<Cloudmapd>;

export interface StartOptions {
  /**
   * The path of a YAML file, as CLOUDMAPD_CONFIG has it, or what stands in one. Where the daemon listens and keeps its
   * content is not taken from it.
   */
  readonly config?: string | Config;
  /** Makes the choice among records the same from start to start, and from reset to reset: 0 to 4294967295. */
  readonly seed?: number;
  /**
   * Settings by their names in the file, such as `{ healthIntervalMs: 100 }`. They win over `config`, and over what
   * `start` itself sets: `http` and `dns` (any free port), `store` (memory), `faults` (true).
   */
  readonly settings?: Settings;
  /** Is given each line of the daemon's log, JSON, from the level of the setting `log` (info) on. Without it none is made. */
  readonly log?: (line: string) => void;
}

export interface Cloudmapd {
  /** Of the API, such as `http://127.0.0.1:40123`. */
  readonly endpoint: string;
  /** Where DNS is answered, over UDP and TCP. */
  readonly dns: { readonly address: string; readonly port: number };
  /**
   * Back to the declared content, DNS included, when it resolves: what the API made, operations, health and faults are
   * gone; what was declared is as it was, and keeps its ids unless a call has deleted it.
   */
  reset(): Promise<void>;
  /** As `/admin/faults`. */
  readonly faults: Faults;
  /** Resolves when nothing of it is left. */
  close(): Promise<void>;
}

export interface Faults {
  /** Resolves with the fault's id when it is in force. */
  add(fault: Fault): Promise<string>;
  /** Those in force, oldest first. */
  list(): Promise<readonly (Fault & { readonly id: string; readonly until: Date | null })[]>;
  /** Resolves with whether it was in force. */
  remove(id: string): Promise<boolean>;
  clear(): Promise<void>;
}

export type Fault = (
  | { readonly dns: DnsFault; readonly api?: undefined }
  | { readonly api: ApiFault; readonly dns?: undefined }
) & {
  /** When it ends by itself; left out: it does not. */
  readonly forSeconds?: number | null;
};

export type DnsFault = {
  readonly name: string;
  /** Such as `A`; left out: every type. */
  readonly type?: string | null;
  /** Names below it too. */
  readonly below?: boolean;
  /** How many of a hundred queries meet it, by chance; left out: all. */
  readonly percent?: number;
} & (
  | { readonly fault: 'servfail' | 'drop' | 'truncate'; readonly delayMs?: undefined }
  | { readonly fault: 'delay'; readonly delayMs: number }
);

export type ApiFault = {
  /** Such as `RegisterInstance`; `*`: every one. */
  readonly operation: string;
  /** How many of a hundred calls meet it, by chance; left out: all. */
  readonly percent?: number;
} & (
  | { readonly fault: 'throttle' | 'fail'; readonly delayMs?: undefined }
  | { readonly fault: 'delay'; readonly delayMs: number }
);

export type Settings = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** What stands in a YAML file: content, and settings by their names. */
export interface Config {
  readonly namespaces?: readonly DeclaredNamespace[];
  /** Names outside of Cloud Map. */
  readonly records?: readonly DeclaredRecord[];
  /** Addresses by ids of EC2 instances. */
  readonly ec2Instances?: Readonly<Record<string, string>>;
  readonly [setting: string]: unknown;
}

export interface DeclaredNamespace {
  readonly name: string;
  readonly type: 'HTTP' | 'DNS_PUBLIC' | 'DNS_PRIVATE';
  readonly description?: string;
  readonly vpc?: string;
  readonly soaTtl?: number;
  readonly tags?: Readonly<Record<string, string>>;
  readonly services?: readonly DeclaredService[];
}

export interface DeclaredService {
  readonly name: string;
  readonly description?: string;
  readonly dns?: {
    readonly routingPolicy?: 'MULTIVALUE' | 'WEIGHTED';
    readonly records: readonly { readonly type: 'A' | 'AAAA' | 'CNAME' | 'SRV'; readonly ttl: number }[];
  };
  readonly healthCheck?: {
    readonly type: 'HTTP' | 'HTTPS' | 'TCP';
    readonly path?: string;
    readonly failureThreshold?: number;
  };
  readonly healthCheckCustom?: { readonly failureThreshold?: number } | null;
  readonly attributes?: Readonly<Record<string, string>>;
  readonly tags?: Readonly<Record<string, string>>;
  readonly instances?: readonly DeclaredInstance[];
}

export interface DeclaredInstance {
  readonly id: string;
  readonly attributes?: Readonly<Record<string, string | number | boolean>>;
}

export interface DeclaredRecord {
  readonly name: string;
  readonly type: 'A' | 'AAAA' | 'CNAME' | 'TXT' | 'PTR';
  readonly value: string;
  readonly ttl?: number;
}
