/** `GET /admin/explain`: why a question gets the answer that it gets. */
import { BlockList, isIP, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { ListenAddress, Trial } from '../answers/thread-protocol.ts';
import type { Publisher } from '../publish/publisher.ts';
import { domainNameProblem } from '../registry/owner-names.ts';
import type { Registry } from '../registry/registry.ts';
import type { ExplainOptions } from '../synthesis/explain-name.ts';
import type { ActiveFault } from '../synthesis/explanation.ts';
import type { LocalOptions } from '../synthesis/local-names.ts';
import { writeU16 } from '../wire/bytes.ts';
import { OPT_BYTES, writeOpt } from '../wire/edns.ts';
import { CLASS_IN, FLAG, HEADER_BYTES, QUESTION_TAIL_BYTES } from '../wire/header.ts';
import { toWireName } from '../wire/names.ts';
import { typeCode, typeText } from '../wire/type-names.ts';

const query = z.strictObject({
  name: z.string(),
  type: z.string().default('A'),
  from: z
    .string()
    .default('127.0.0.1')
    .refine((text) => isIP(text) !== 0, { error: ({ input }) => `"${input}" is no IP address` }),
});

/** Faults that are set now. */
export interface FaultsSet {
  /** @param name lower case, without an ending dot; @param type mnemonic */
  met(name: string, type: string): readonly ActiveFault[];
  metByCalls(): readonly ActiveFault[];
}

/**
 * `?name=web.demo.internal&type=A&from=127.0.0.1`. An answering thread is asked for the real answer, and the registry for
 * what led to it.
 * @param local names of the settings, as they are answered now; @param faults null: not there yet
 */
export function registerExplain(
  app: FastifyInstance,
  registry: () => Registry | null,
  publisher: () => Promise<Publisher>,
  options: ExplainOptions,
  local: () => LocalOptions,
  faults: () => FaultsSet | null,
): void {
  app.get('/admin/explain', async (request, reply) => {
    const refuse = (status: number, error: string) => reply.code(status).send({ error });
    const wanted = query.safeParse(request.query);
    if (!wanted.success) {
      const issue = wanted.error.issues[0];
      return refuse(400, `${issue?.path.join('.') || 'the query'}: ${issue?.message}`);
    }
    // Loaded when first needed: most daemons are never asked.
    const { explain } = await import('../synthesis/explain.ts');
    const { from } = wanted.data;
    const name = wanted.data.name.replace(/(.)\.$/, '$1');
    const code = typeCode(wanted.data.type);
    if (!isDomainName(name)) return refuse(400, `name: "${name}" is no domain name`);
    if (code === null)
      return refuse(400, `type: "${wanted.data.type}" is no type of records, such as A, SRV or TYPE65`);
    const loaded = registry();
    if (loaded === null) return refuse(503, 'the state is being loaded');
    const threads = await publisher();
    const to = addressAsked(threads.addresses, from);
    const bytes = queryFor(name, code);
    const attempt = (overTcp: boolean): Promise<Trial | null> => threads.try({ query: bytes, from, to, overTcp });
    // Before the query meets them: what it has met may end meanwhile.
    const type = typeText(code);
    const met = faults()?.met(name.toLowerCase(), type) ?? [];
    const metByCalls = faults()?.metByCalls() ?? [];
    const first = await attempt(false);
    const second = first !== null && isTruncated(first) ? await attempt(true) : null;
    if (first === null) return refuse(503, 'no thread answers DNS now: ask again in a moment');
    return explain({
      question: { name, type, from, to },
      trials: second === null ? [first] : [first, second],
      state: loaded.state,
      options,
      local: local(),
      now: Date.now(),
      faults: met,
      apiFaults: metByCalls,
    });
  });
}

/** As dig asks: recursion is desired, AD wanted (RFC 6840 s5.7), and there is an OPT. */
function queryFor(name: string, type: number): Uint8Array {
  const qname = toWireName(name, true);
  const end = HEADER_BYTES + qname.length + QUESTION_TAIL_BYTES;
  const bytes = new Uint8Array(end + OPT_BYTES);
  writeU16(bytes, 2, FLAG.RD | FLAG.AD);
  writeU16(bytes, 4, 1);
  writeU16(bytes, 10, 1);
  bytes.set(qname, HEADER_BYTES);
  writeU16(bytes, end - QUESTION_TAIL_BYTES, type);
  writeU16(bytes, end - 2, CLASS_IN);
  writeOpt(bytes, end, 0, false);
  return bytes;
}

function isTruncated({ reply }: Trial): boolean {
  return reply.length >= HEADER_BYTES && ((reply[2] as number) & (FLAG.TC >> 8)) !== 0;
}

/** Names in DNS may hold more than a host's; the root is one too. */
function isDomainName(name: string): boolean {
  return name === '.' || domainNameProblem(name) === null;
}

/** Where such a client would send it: a wildcard listener has the address of the network that they share. */
function addressAsked(listeners: readonly ListenAddress[], from: string): string | null {
  const isOfFamily = (address: string): boolean => isIPv6(address) === isIPv6(from);
  const own = listeners.filter(({ address }) => isOfFamily(address));
  const exact = own.find(({ address }) => address !== '0.0.0.0' && address !== '::') ?? null;
  if (exact !== null || own.length === 0) return exact?.address ?? null;
  for (const { address, cidr } of Object.values(networkInterfaces()).flatMap((list) => list ?? [])) {
    if (cidr === null || !isOfFamily(address)) continue;
    const [network, prefix] = cidr.split('/') as [string, string];
    const block = new BlockList();
    block.addSubnet(network, Number(prefix), isIPv6(from) ? 'ipv6' : 'ipv4');
    if (block.check(from, isIPv6(from) ? 'ipv6' : 'ipv4')) return address;
  }
  return null;
}
