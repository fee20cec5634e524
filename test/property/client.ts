/** The API over HTTP connections that are kept: a property asks too much for a client that takes longer. */
import { Agent, request } from 'node:http';
import { CONTENT_TYPE, TARGET, type TestApi, type WireBody } from '../support/api.ts';

export interface Client {
  readonly dnsPort: number;
  /** Calls of one moment go out on a connection each. */
  call(action: string, input?: object): Promise<{ status: number; body: WireBody }>;
  /** As `call`. @throws Error where the answer is not 200 */
  ok(action: string, input?: object): Promise<WireBody>;
  close(): void;
}

export function openClient({ httpPort: port, dnsPort }: TestApi): Client {
  const agent = new Agent({ keepAlive: true });
  const call: Client['call'] = (action, input = {}) =>
    new Promise((resolve, reject) => {
      const headers = { 'content-type': CONTENT_TYPE, 'x-amz-target': `${TARGET}${action}` };
      const sent = request({ host: '127.0.0.1', port, method: 'POST', headers, agent }, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.once('error', reject);
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) }));
      });
      sent.once('error', reject);
      sent.end(JSON.stringify(input));
    });
  return {
    dnsPort,
    call,
    ok: async (action, input) => {
      const { status, body } = await call(action, input);
      if (status !== 200) throw new Error(`${action} ${JSON.stringify(input)} got ${status} ${JSON.stringify(body)}`);
      return body;
    },
    close: () => agent.destroy(),
  };
}
