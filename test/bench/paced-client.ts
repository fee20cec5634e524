/** `paced-client.ts PORT QUERIES_PER_SECOND SECONDS QUERY...` (hex): asks at an even pace and prints latencies in ms. */
import { createSocket } from 'node:dgram';

const [port, rate, seconds, ...hex] = process.argv.slice(2);
const queries = hex.map((query) => Buffer.from(query, 'hex'));
const total = Number(rate) * Number(seconds);
const sentAt = new Float64Array(total);
const latencies: number[] = [];

const socket = createSocket('udp4');
socket.bind(0, '127.0.0.1', () => {
  socket.connect(Number(port), '127.0.0.1', () => {
    process.stdout.write('asking\n');
    const startedAt = performance.now();
    let sent = 0;
    const step = (): void => {
      const due = Math.min(total, Math.floor(((performance.now() - startedAt) / 1000) * Number(rate)));
      for (; sent < due; sent++) {
        const query = Buffer.from(queries[sent % queries.length] as Buffer);
        // IDs come round after 65,536 queries, long after their answers.
        query.writeUInt16BE(sent & 0xffff);
        sentAt[sent] = performance.now();
        socket.send(query);
      }
      if (sent < total) setTimeout(step, 1);
      else setTimeout(finish, 500);
    };
    let wraps = 0;
    let last = 0;
    socket.on('message', (reply) => {
      const now = performance.now();
      const id = reply.readUInt16BE(0);
      if (id < last - 32_768) wraps++;
      last = id;
      const index = wraps * 65_536 + id;
      if (index < total) latencies.push(now - (sentAt[index] as number));
    });
    step();
  });
});

function finish(): void {
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? Number.NaN;
  process.stdout.write(JSON.stringify({ p50: at(0.5), p99: at(0.99), lost: total - latencies.length }), () =>
    socket.close(),
  );
}
