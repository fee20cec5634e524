#!/usr/bin/env node
/** The command's entry. Everything else is loaded once Node is known to be new enough to load it. */

const OLDEST_NODE = 24;

if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
  process.stderr.write(`cloudmapd: Node ${OLDEST_NODE} or newer is needed; this is ${process.versions.node}\n`);
  process.exit(2);
}
const { run } = await import('./cli/program.ts');
await run(process.argv);
