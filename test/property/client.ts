/** The API over HTTP, with connections that are kept for reading: each step of a property reads a great deal. */
import { Agent, request } from 'node:http';
import { CONTENT_TYPE, TARGET, type TestApi, type WireBody } from '../support/api.ts';

interface Answered {
  readonly status: number;
  readonly body: WireBody;
}

export interface Client {
  readonly dnsPort: number;
  /** Calls on a connection of its own. */
  send(action: string, input: object): Promise<Answered>;
  /** Calls on a connection that may have been used before; for what can be asked twice. */
  read(action: string, input?: object): Promise<Answered>;
  /** As `read`. @throws Error where the answer is not 200 */
  ok(action: string, input?: object): Promise<WireBody>;
  close(): void;
}

export function openClient({ httpPort, dnsPort }: TestApi): Client {
  const kept = new Agent({ keepAlive: true });
  const read: Client['read'] = (action, input = {}) => post(httpPort, kept, action, input);
  return {
    dnsPort,
    send: (action, input) => post(httpPort, false, action, input),
    read,
    ok: async (action, input) => {
      const { status, body } = await read(action, input);
      if (status !== 200) throw new Error(`${action} ${JSON.stringify(input)} got ${status} ${JSON.stringify(body)}`);
      return body;
    },
    close: () => kept.destroy(),
  };
}

function post(port: number, agent: Agent | false, action: string, input: object): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': CONTENT_TYPE, 'x-amz-target': `${TARGET}${action}` };
    const sent = request({ host: '127.0.0.1', port, method: 'POST', headers, agent }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.once('error', reject);
      response.once('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) }));
    });
    sent.once('error', (error: NodeJS.ErrnoException) => {
      // The daemon closes connections that have been idle for seconds, on a busy machine just when one is used again.
      if (sent.reusedSocket && error.code === 'ECONNRESET') resolve(post(port, agent, action, input));
      else reject(error);
    });
    sent.end(JSON.stringify(input));
  });
}
