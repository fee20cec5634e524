import { freePort, startPinned } from '../support.ts';
import { type Peer, whenServing } from './peer.ts';

/** What the runtime's own socket costs when nothing at all is looked up. */
export const bareDgram: Peer = {
  name: 'bare dgram',
  command: null,
  debian: 'none',
  start: async (zones) => {
    const port = await freePort();
    const source = `
      const socket = require('node:dgram').createSocket({ type: 'udp4', lookup: (host, _, done) => done(null, host, 4) });
      const tail = Buffer.from('c00c000100010000003c00040a000001'.repeat(3), 'hex');
      socket.on('message', (query, { port, address }) => {
        const reply = Buffer.concat([query, tail]);
        reply[2] |= 0x84; reply[7] = 3;
        socket.send(reply, port, address);
      });
      socket.bind(${port}, '127.0.0.1', () => console.log('listening'));`;
    return whenServing('bare dgram', await startPinned(process.execPath, ['-e', source], 'listening'), port, zones);
  },
};
