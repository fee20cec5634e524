/**
 * The thread that a program's daemon runs in: told what to start when it is made, then what to do, call by call. What
 * the program does to its own thread, such as blocking it or faking its timers, is not felt here.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { type Daemon, startDaemon } from '../daemon.ts';
import { createLog } from '../log.ts';
import type { Fault } from './index.cjs';
import { readOptions } from './options.ts';
import type { CallName, FromDaemon, GivenOptions, Started, ToDaemon } from './protocol.ts';

const port = parentPort;
if (port === null) throw new Error('library/thread.ts runs as a worker thread only');
const tell = (message: FromDaemon): void => port.postMessage(message);

let daemon: Daemon | null = null;
try {
  const configuration = readOptions(workerData as GivenOptions);
  const write = (line: string): void => tell({ kind: 'log', line });
  const { log } = workerData as GivenOptions;
  daemon = await startDaemon(configuration, createLog(configuration.settings.log, log === true ? write : null));
  tell({ kind: 'started', ...startedOf(daemon) });
  serve(daemon);
} catch (error) {
  tell({ kind: 'failed', ...errorOf(error) });
  port.close();
}

function startedOf({ http, publisher }: Daemon): Started {
  const [dns = { address: '', port: 0 }] = publisher.addresses;
  return { endpoint: `http://${http[0]}`, dns: { address: dns.address, port: dns.port } };
}

function serve(daemon: Daemon): void {
  const { faults } = daemon;
  const calls: Record<CallName, (argument: unknown) => unknown> = {
    reset: () => daemon.reset(),
    'add-fault': (fault) => faults.add(fault as Fault),
    'list-faults': () => faults.list(),
    'remove-fault': (id) => faults.remove(String(id)),
    'clear-faults': () => faults.clear(),
    close: () => daemon.close(),
  };
  port?.on('message', async ({ id, call, argument }: ToDaemon) => {
    try {
      tell({ kind: 'done', id, result: await calls[call](argument) });
    } catch (error) {
      tell({ kind: 'refused', id, ...errorOf(error) });
    }
    if (call === 'close') port?.close();
  });
}

function errorOf(error: unknown): { name: string; message: string } {
  const { name, message } = error as Error;
  return { name, message };
}
