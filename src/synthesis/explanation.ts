/** What `explain` says: the shape of its JSON. */
import type { TextRecord } from '../wire/presentation.ts';
import type { ExplainedName } from './explain-name.ts';

/** Times are ISO 8601. */
export interface Explanation {
  readonly question: ExplainedQuestion;
  readonly at: string;
  /** What a person wants to know, in plain sentences. */
  readonly summary: readonly string[];
  /** Null: nothing is answered at all. */
  readonly rcode: string | null;
  /** Where the answer came from, the last part of it if it has several: see src/dns/outcome.ts. */
  readonly outcome: string;
  /** TCP: the answer was too long for UDP. */
  readonly transport: 'udp' | 'tcp';
  readonly tookMs: number;
  /** RFC 8914. */
  readonly extendedErrors: readonly { readonly code: number; readonly name: string | null; readonly text: string }[];
  /** The name that was asked for, and what CNAMEs lead to. */
  readonly names: readonly ExplainedStep[];
  /** Faults that somebody has set for the name. */
  readonly faults: readonly ActiveFault[];
  readonly answer: readonly TextRecord[];
  readonly authority: readonly TextRecord[];
  readonly additional: readonly TextRecord[];
  /** What dig would print. */
  readonly dig: string;
}

export interface ExplainedQuestion {
  readonly name: string;
  readonly type: string;
  /** Whose it is. */
  readonly from: string;
  /** The address that it is sent to; null: not known. */
  readonly to: string | null;
}

export interface ActiveFault {
  /** In a few words, such as `SERVFAIL` or `a delay of 200 ms`. */
  readonly fault: string;
  /** Null: until it is taken away. */
  readonly endsAt: string | null;
}

export interface ExplainedStep {
  readonly name: string;
  /** `settings`: static records, and the daemon's own name. */
  readonly source: 'registry' | 'settings' | 'outside';
  /** Null: it is no name of a namespace. */
  readonly registry: ExplainedName | null;
  /** What becomes of the name where it is in no namespace and no name of the settings. */
  readonly outside: ExplainedRoute;
  /** Of the name of an address: who is registered with that, the first few. */
  readonly registered: readonly string[];
  /** A name of the settings too, which does not count. */
  readonly isShadowingSettings: boolean;
}

export interface ExplainedRoute {
  readonly rule: 'ask' | 'default' | 'refuse' | 'nxdomain' | 'localhost';
  /** Names that end in it are meant; `.`: all; null: no rule names it. */
  readonly suffix: string | null;
  /** The setting that says so. */
  readonly setting: string;
  /** Null: nobody is asked. */
  readonly upstreams: readonly ExplainedUpstream[] | null;
  /** What the thread that answered has of the question from before, or from just now. */
  readonly cache: { readonly storedAt: string; readonly expiresAt: string } | null;
  /** Whether names outside are looked up for the client at all. */
  readonly isClientServed: boolean;
  /** Namespaces of type HTTP that the name would be in. */
  readonly httpNamespaces: readonly string[];
  /** Of a name of one label: names in the namespaces that begin with it. */
  readonly fullNames: readonly string[];
}

export interface ExplainedUpstream {
  readonly address: string;
  readonly isLooping: boolean;
  readonly isDown: boolean;
  readonly rttMs: number | null;
}
