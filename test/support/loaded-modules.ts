/** What a daemon loads. */
import { readFileSync } from 'node:fs';

const PRELOAD = new URL('loaded-modules.mjs', import.meta.url).pathname;

/** A launcher for a daemon that says in `file`, once it has ended, what its main thread has loaded. */
export function recordingModules(file: string): string[] {
  return ['env', `NODE_OPTIONS=--import=${PRELOAD}`, `LOADED_MODULES=${file}`];
}

/** @returns whether a URL or name in it has the text */
export function readModules(file: string): (text: string) => boolean {
  const modules: string[] = JSON.parse(readFileSync(file, 'utf8'));
  return (text) => modules.some((module) => module.includes(text));
}
