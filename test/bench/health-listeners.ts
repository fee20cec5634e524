/** Real listeners in a process of their own: `health-listeners.ts COUNT PORT` answers HTTP on 127.1.x.y:PORT. */
import { createServer } from 'node:http';

const [count, port] = process.argv.slice(2).map(Number) as [number, number];

/** Of listener `n`; also what the bench registers. */
export function listenerAddress(n: number): string {
  return `127.1.${n >> 8}.${n & 255}`;
}

if (import.meta.main) {
  let left = count;
  for (let n = 0; n < count; n++) {
    const server = createServer((_request, response) => response.end());
    server.listen(port, listenerAddress(n), 128, () => {
      left--;
      if (left === 0) process.stdout.write('listening\n');
    });
  }
}
