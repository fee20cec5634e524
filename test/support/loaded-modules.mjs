// Preloaded into a daemon: at its end, says in the file that LOADED_MODULES names what its main thread has loaded.
import { writeFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { isMainThread } from 'node:worker_threads';

if (isMainThread) {
  const urls = [];
  registerHooks({
    load(url, context, nextLoad) {
      urls.push(url);
      return nextLoad(url, context);
    },
  });
  process.on('exit', () => {
    // Of Node's own modules the loaders tell those alone that somebody names; what these load is in its own list.
    writeFileSync(process.env.LOADED_MODULES, JSON.stringify([...urls, ...process.moduleLoadList]));
  });
}
