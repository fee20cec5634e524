#!/usr/bin/env node
/** The command's entry. Everything else is loaded once Node is known to be new enough to load it. */

const OLDEST_NODE = 24;

if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
  process.stderr.write(`cloudmapd: Node ${OLDEST_NODE} or newer is needed; this is ${process.versions.node}\n`);
  process.exit(2);
}
// Until `serve` has something to finish, a signal just ends it; loading it takes most of the start.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(0));
// To `serve` it means that its file has changed, which it has yet to read.
if (process.argv[2] === 'serve') process.on('SIGHUP', () => undefined);
// Before anything large is loaded.
const { keepCompiled } = await import('./compile-cache.ts');
keepCompiled(process.env);
const { run } = await import('./cli/program.ts');
await run(process.argv);
