/**
 * Runs in a network namespace: takes a listening socket that its parent made outside, and joins each connection to the
 * port in here that its argument names. Ends when the parent lets go of it.
 */
import { connect, type Server, type Socket } from 'node:net';

const port = Number(process.argv[2]);

process.once('message', (_message, server: Server) => {
  server.on('connection', (outside: Socket) => {
    const inside = connect(port, '127.0.0.1');
    outside.pipe(inside).pipe(outside);
    // One end's trouble is the other's end.
    outside.on('error', () => inside.destroy());
    inside.on('error', () => outside.destroy());
  });
  process.send?.('listening');
});
process.once('disconnect', () => process.exit(0));
