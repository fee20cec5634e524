/** How much is fuzzed, and from which seed; a failure tells the seed, with which it comes again. */

export const FUZZ_SEED = Number(process.env.FUZZ_SEED ?? 20_260_730);

/** What the environment says, as `FUZZ_PACKETS=20000000`, or else what is reasonable at a desk and in CI. */
export function fuzzCount(variable: string, atDesk: number, inCi: number): number {
  return Number(process.env[variable] ?? (process.env.CI === 'true' ? inCi : atDesk));
}

/** Time for a test that takes so many steps, far more than a busy machine needs. */
export function withinMs(steps: number): number {
  return 30_000 + steps;
}
