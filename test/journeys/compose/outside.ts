/**
 * Runs among the containers, as the rest of the world: a nameserver at port 53 of the address that is its first
 * argument. The names that follow have the address 198.51.100.7, there are no others. Prints a line when it is ready,
 * and the name and the type of each query.
 */
import { createSocket } from 'node:dgram';
import { decodeMessage, RCODE_CODES, typeName } from '../../../src/wire/codec.ts';
import { replyTo } from '../../support/journey-upstream.ts';

const [address, ...names] = process.argv.slice(2);
const socket = createSocket('udp4');
socket.on('message', (query, client) => {
  const [question] = decodeMessage(query).questions;
  const name = question?.name.toLowerCase() ?? '';
  const type = typeName(question?.type ?? 0);
  console.log(`${name} ${type}`);
  const isKnown = names.includes(name);
  const reply = replyTo(query, isKnown && type === 'A' ? ['198.51.100.7'] : []);
  if (!isKnown) reply.writeUInt8(reply.readUInt8(3) | (RCODE_CODES.NXDOMAIN as number), 3);
  socket.send(reply, client.port, client.address);
});
socket.bind(53, address, () => console.log('listening'));
