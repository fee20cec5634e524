/** An EC2-compatible endpoint with a few instances: DescribeInstances over EC2's query protocol, as emulators speak it. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface FakeEc2 {
  readonly endpoint: string;
  /** Ids asked for, in order. */
  readonly asked: readonly string[];
  close(): Promise<void>;
}

/** @param addresses EC2 instance id -> private address; null: it has none any longer */
export async function startFakeEc2(addresses: Readonly<Record<string, string | null>>): Promise<FakeEc2> {
  const asked: string[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const form = new URLSearchParams(body);
    const id = form.get('InstanceId.1') ?? '';
    asked.push(id);
    const isKnown = form.get('Action') === 'DescribeInstances' && Object.hasOwn(addresses, id);
    response.writeHead(isKnown ? 200 : 400, { 'content-type': 'text/xml' });
    response.end(isKnown ? found(id, addresses[id] ?? null) : notFound(id));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function found(id: string, address: string | null): string {
  const state = address === null ? ['48', 'terminated'] : ['16', 'running'];
  return `<?xml version="1.0" encoding="UTF-8"?>
<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
  <requestId>fdcdcab1-ae5c-489e-9c33-4637c5dda355</requestId>
  <reservationSet><item>
    <reservationId>r-1</reservationId><ownerId>123456789012</ownerId><groupSet/>
    <instancesSet><item>
      <instanceId>${id}</instanceId>
      <instanceState><code>${state[0]}</code><name>${state[1]}</name></instanceState>
      ${address === null ? '' : `<privateIpAddress>${address}</privateIpAddress>`}
      <ipAddress>203.0.113.9</ipAddress>
    </item></instancesSet>
  </item></reservationSet>
</DescribeInstancesResponse>`;
}

function notFound(id: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<Response><Errors><Error><Code>InvalidInstanceID.NotFound</Code><Message>The instance ID '${id}' does not exist</Message></Error></Errors>
<RequestID>ea966190-f9aa-478e-9ede-example</RequestID></Response>`;
}
