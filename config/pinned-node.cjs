// Loaded before every npm script's own code. npm puts the pinned Node (the npm package `node`) first on PATH, but
// where its install script was not allowed to run, the machine's own Node would start instead and fail on the
// first TypeScript file with a stack trace that does not name the cause.
'use strict';
const pinned = require('../package.json').devDependencies.node;
if (process.versions.node !== pinned) {
  process.stderr.write(
    `cloudmapd: the pinned Node ${pinned} is missing (this is ${process.versions.node}): run \`npm rebuild node --ignore-scripts=false\`\n`,
  );
  process.exit(1);
}
