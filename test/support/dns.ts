/** DNS over real sockets, and replies as zone-file text. */
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { decodeMessage, type Message, RCODE_CODES, TYPE_CODES, typeName } from '../../src/wire/codec.ts';
import { toWireName } from '../../src/wire/names.ts';

export interface QueryOptions {
  readonly id?: number;
  readonly rd?: boolean;
  /** An OPT record with this UDP payload size; null: none. */
  readonly edns?: number | null;
  readonly dnssecOk?: boolean;
  readonly qclass?: number;
}

/** A query in wire form; the name keeps its case. @param type mnemonic or number */
export function buildQuery(name: string, type: string | number, options: QueryOptions = {}): Uint8Array {
  const { id = 0x1234, rd = false, edns = null, dnssecOk = false, qclass = 1 } = options;
  const code = typeof type === 'number' ? type : (TYPE_CODES[type] as number);
  const qname = toWireName(name, true);
  const opt = edns === null ? [] : [0, 0, 41, edns >> 8, edns & 255, 0, 0, dnssecOk ? 0x80 : 0, 0, 0, 0];
  const header = [id >> 8, id & 255, rd ? 1 : 0, 0, 0, 1, 0, 0, 0, 0, 0, edns === null ? 0 : 1];
  return Uint8Array.from([...header, ...qname, code >> 8, code & 255, qclass >> 8, qclass & 255, ...opt]);
}

/** The extended error in the OPT of a reply (RFC 8914), read octet by octet; null: none. @throws Error on more than one */
export function extendedErrorOf(reply: Uint8Array): { code: number; text: string } | null {
  const bytes = Buffer.from(reply);
  const skipName = (at: number): number => {
    const length = bytes.readUInt8(at);
    return length === 0 ? at + 1 : length >= 0xc0 ? at + 2 : skipName(at + 1 + length);
  };
  let at = 12;
  for (let left = bytes.readUInt16BE(4); left > 0; left--) at = skipName(at) + 4;
  const errors: { code: number; text: string }[] = [];
  const records = bytes.readUInt16BE(6) + bytes.readUInt16BE(8) + bytes.readUInt16BE(10);
  for (let left = records; left > 0; left--) {
    const fields = skipName(at);
    const end = fields + 10 + bytes.readUInt16BE(fields + 8);
    at = end;
    if (bytes.readUInt16BE(fields) !== 41) continue;
    for (let option = fields + 10; option < end; option += 4 + bytes.readUInt16BE(option + 2)) {
      if (bytes.readUInt16BE(option) !== 15) continue;
      const text = bytes.toString('utf8', option + 6, option + 4 + bytes.readUInt16BE(option + 2));
      errors.push({ code: bytes.readUInt16BE(option + 4), text });
    }
  }
  if (at !== bytes.length || errors.length > 1) throw new Error('the reply is broken, or has several extended errors');
  return errors[0] ?? null;
}

/** Sends one datagram. @returns the reply, or null where none came within `timeoutMs` */
export function askUdp(
  port: number,
  query: Uint8Array,
  { address = '127.0.0.1', timeoutMs = 5000 } = {},
): Promise<Buffer | null> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    const finish = (reply: Buffer | null): void => {
      clearTimeout(timer);
      socket.close();
      resolve(reply);
    };
    const timer = setTimeout(() => finish(null), timeoutMs);
    socket.on('message', (reply, from) => {
      // Ports come round: somebody may still be sending to whoever had this one before.
      if (from.port === port) finish(reply);
    });
    socket.once('error', reject);
    socket.send(query, port, address);
  });
}

/** Sends messages over one connection and collects as many replies, in the order in which they came. */
export function askTcp(port: number, queries: readonly Uint8Array[], address = '127.0.0.1'): Promise<Buffer[]> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, address);
    let received = Buffer.alloc(0);
    const replies: Buffer[] = [];
    socket.once('error', reject);
    socket.once('close', () => reject(new Error(`the connection ended after ${replies.length} replies`)));
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const end = 2 + received.readUInt16BE(0);
        replies.push(received.subarray(2, end));
        received = received.subarray(end);
      }
      if (replies.length < queries.length) return;
      socket.removeAllListeners('close');
      socket.destroy();
      resolve(replies);
    });
    for (const query of queries) {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(query.length);
      socket.write(Buffer.concat([length, query]));
    }
  });
}

export interface Answer {
  readonly rcode: string;
  readonly aa: boolean;
  readonly tc: boolean;
  readonly rd: boolean;
  readonly ra: boolean;
  readonly hasOpt: boolean;
  /** Records as zone-file text, such as `web.demo.internal. 10 IN A 10.0.0.7`. */
  readonly answer: string[];
  readonly authority: string[];
  readonly additional: string[];
  readonly message: Message;
}

/** Decodes a reply. @throws Error where a record of it cannot be decoded */
export function readAnswer(reply: Uint8Array): Answer {
  const message = decodeMessage(reply);
  if (message.errors.length > 0) throw new Error(`the reply is broken: ${message.errors[0]?.message}`);
  const { header } = message;
  const rcode = Object.entries(RCODE_CODES).find(([, code]) => code === header.rcode)?.[0] ?? String(header.rcode);
  const records = (list: Message['answers']): string[] => list.filter(({ type }) => type !== 41).map(recordText);
  return {
    rcode,
    aa: Boolean(header.aa),
    tc: Boolean(header.tc),
    rd: Boolean(header.rd),
    ra: Boolean(header.ra),
    hasOpt: message.additionals.some(({ type }) => type === 41),
    answer: records(message.answers),
    authority: records(message.authorities),
    additional: records(message.additionals),
    message,
  };
}

function recordText(record: Message['answers'][number]): string {
  return `${record.name}. ${record.ttl} IN ${typeName(record.type)} ${rdataText(record)}`;
}

function rdataText(record: Message['answers'][number]): string {
  switch (typeName(record.type)) {
    case 'A':
    case 'AAAA':
      return String(record.address);
    case 'CNAME':
    case 'PTR':
      return `${record.domain}.`;
    case 'NS':
      return `${record.ns}.`;
    case 'SRV':
      return `${record.priority} ${record.weight} ${record.port} ${record.target}.`;
    case 'SOA':
      return `${record.primary}. ${record.admin}. ${record.serial} ${record.refresh} ${record.retry} ${record.expiration} ${record.minimum}`;
    default:
      throw new Error(`no text for records of type ${record.type}`);
  }
}

/** One question over UDP, its answer read. @throws Error where no reply comes */
export async function dig(port: number, name: string, type: string | number, options?: QueryOptions): Promise<Answer> {
  const reply = await askUdp(port, buildQuery(name, type, options));
  if (reply === null) throw new Error(`no reply for ${name} ${type}`);
  return readAnswer(reply);
}
