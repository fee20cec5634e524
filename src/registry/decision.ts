/** What a decider is given and gives back. Deciders are pure: (state, command, context) -> changes, or they throw. */
import type { Owner, Random } from './ids.ts';
import type { Change, HealthStatus } from './model.ts';
import type { State } from './state.ts';

/** 0 = unlimited. */
export interface Quotas {
  readonly namespaces: number;
  readonly instancesPerNamespace: number;
  readonly instancesPerService: number;
  readonly customAttributes: number;
  readonly serviceAttributes: number;
  readonly tags: number;
}

export interface RegistryOptions extends Owner {
  /** How long operations stay PENDING. */
  readonly operationDelayMs: number;
  /** How long after the request a custom health status takes effect. */
  readonly customHealthDelayMs: number;
  /** Of a checked instance before its first verdict. */
  readonly newInstanceStatus: HealthStatus;
  /** Whether services of private namespaces may have a HealthCheckConfig, which AWS forbids. */
  readonly allowsPrivateHealthChecks: boolean;
  readonly quotas: Quotas;
  /** What the file declares, by `declaredKey`. */
  readonly declared: ReadonlySet<string>;
  /** EC2 instance id -> its primary private IPv4 address. */
  readonly ec2Instances: Readonly<Record<string, string>>;
}

export interface Context {
  /** Epoch ms. */
  readonly now: number;
  readonly random: Random;
  readonly options: RegistryOptions;
}

export interface Decision<Result> {
  readonly changes: readonly Change[];
  readonly result: Result;
  /** In force with the changes, and for what is decided behind them. */
  readonly options?: RegistryOptions;
}

/** @throws ServiceError where the command is refused; nothing is changed then */
export type Decider<Result> = (state: State, context: Context) => Decision<Result>;

/**
 * Whether what was put off until `dueAt` is due. A clock that was set back since would put it off for longer than
 * anybody asked: then it is due now.
 */
export function isDue(dueAt: number, now: number, delayMs: number): boolean {
  return dueAt <= now || dueAt > now + delayMs;
}

/**
 * The next InstancesRevision: grows with time, and with every change even where the clock does not. AWS says that it
 * grows; by how much is ours.
 */
export function nextRevision(state: State, now: number): number {
  return Math.max(now, state.highestRevision + 1);
}
