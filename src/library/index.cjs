// What `import { start } from 'cloudmapd'` and `require('cloudmapd')` load. In a checkout it is the sources that serve,
// in the package what was built of them.
'use strict';
const { existsSync } = require('node:fs');
const { join } = require('node:path');
const { versions } = require('node:process');

/** As `main.ts` has it, and package.json. */
const OLDEST_NODE = 24;

const source = join(__dirname, 'start.ts');
const entry = existsSync(source) ? source : join(__dirname, '../../dist/library/start.js');

// Jest runs modules in contexts of their own, without an `import`, and has a `require` of its own, made of Node's as a
// class is of another. The daemon is to be loaded as Node does, whoever asks for it.
let Module = require('node:module');
for (let base = Module; 'createRequire' in base; base = Object.getPrototypeOf(base)) Module = base;

/** The daemon is loaded with the first call: who imports this and starts nothing waits for nothing. */
exports.start = async (options) => {
  if (Number.parseInt(versions.node, 10) < OLDEST_NODE)
    throw new Error(`cloudmapd: Node ${OLDEST_NODE} or newer is needed; this is ${versions.node}`);
  return Module.createRequire(__filename)(entry).start(options);
};
