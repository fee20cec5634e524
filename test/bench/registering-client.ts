/**
 * `registering-client.ts PORT CONNECTIONS SERVICE...`: registers instances of the services (ids) at full speed until it
 * is ended, each again and again with another address. On SIGUSR2 it prints how many calls were answered so far.
 *
 * Requests are written to plain connections: a client of Node's own takes as long for a call as the daemon does.
 */
import { connect } from 'node:net';

const [port, connections, ...services] = process.argv.slice(2) as [string, string, ...string[]];
/** Of each service. */
const INSTANCES = 10;
let sent = 0;
let answered = 0;

function nextRequest(): string {
  const n = sent++;
  const body = JSON.stringify({
    ServiceId: services[n % services.length],
    InstanceId: `i-${Math.floor(n / services.length) % INSTANCES}`,
    Attributes: { AWS_INSTANCE_IPV4: `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`, AWS_INSTANCE_PORT: '8080' },
  });
  return `POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/x-amz-json-1.1\r\nx-amz-target: Route53AutoNaming_v20170314.RegisterInstance\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

function open(): void {
  const socket = connect(Number(port), '127.0.0.1', () => socket.write(nextRequest()));
  let received = '';
  socket.setNoDelay(true);
  socket.setEncoding('latin1');
  socket.on('error', fail);
  socket.on('data', (chunk: string) => {
    received += chunk;
    const head = received.indexOf('\r\n\r\n');
    if (head === -1) return;
    const length = Number(/content-length: (\d+)/i.exec(received)?.[1]);
    if (received.length < head + 4 + length) return;
    if (!received.startsWith('HTTP/1.1 200')) fail(new Error(received));
    received = '';
    answered++;
    socket.write(nextRequest());
  });
}

/** A load that is not there must not go unnoticed. */
function fail(error: Error): void {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
}

process.on('SIGUSR2', () => process.stdout.write(`${answered}\n`));
for (let i = 0; i < Number(connections); i++) open();
process.stdout.write('registering\n');
