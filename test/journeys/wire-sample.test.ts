/** The samples of the Cloud Map page (section 14), byte by byte on a socket of our own. */
import { connect } from 'node:net';
import { ListServicesCommand } from '@aws-sdk/client-servicediscovery';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunningDaemon } from '../support/daemon.ts';
import { dig } from '../support/dns.ts';
import { Api } from '../support/journey-api.ts';
import { requireTool, runDig, setUpJourney, shareDaemon } from '../support/journey-tools.ts';

const journey = setUpJourney();

const CREATOR_REQUEST_ID = '6d996e1c-7218-47bc-a897-e6695f19698d';
const ATTRIBUTES = { AWS_INSTANCE_IPV4: '10.0.0.7', AWS_INSTANCE_PORT: '8080', stage: 'beta' };

/** The sample as it stands, line break in the body and all; our service's id is as long as the sample's. */
function registerBody(serviceId: string, requestId = CREATOR_REQUEST_ID): string {
  return `{"ServiceId":"${serviceId}","InstanceId":"web-1","CreatorRequestId":"${requestId}",
 "Attributes":{"AWS_INSTANCE_IPV4":"10.0.0.7","AWS_INSTANCE_PORT":"8080","stage":"beta"}}`;
}

interface RawReply {
  readonly statusLine: string;
  /** By lower-case name; as often as it was sent. */
  readonly headers: Readonly<Record<string, string[]>>;
  readonly body: string;
}

/** Sends the sample's request with the two headers that HTTP/1.1 wants besides, and reads one reply. */
function post(port: number, operation: string, body: string): Promise<RawReply> {
  const request = [
    'POST / HTTP/1.1',
    `X-Amz-Target: Route53AutoNaming_v20170314.${operation}`,
    'Content-Type: application/x-amz-json-1.1',
    'Host: servicediscovery.us-east-1.amazonaws.com',
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n');
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let received = Buffer.alloc(0);
    socket.once('error', reject);
    socket.once('close', () => reject(new Error(`the connection ended after ${received}`)));
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      const headEnd = received.indexOf('\r\n\r\n');
      if (headEnd < 0) return;
      const [statusLine = '', ...lines] = received.subarray(0, headEnd).toString('latin1').split('\r\n');
      const headers: Record<string, string[]> = {};
      for (const line of lines) {
        const [, name = '', value = ''] = /^([^:]+): (.*)$/.exec(line) ?? [];
        headers[name.toLowerCase()] = [...(headers[name.toLowerCase()] ?? []), value];
      }
      const bodyBytes = received.subarray(headEnd + 4);
      const length = Number(headers['content-length']?.[0]);
      if (bodyBytes.length < length) return;
      socket.removeAllListeners('close');
      socket.destroy();
      // More bytes than announced would show here.
      resolve({ statusLine, headers, body: bodyBytes.toString() });
    });
    socket.write(request);
  });
}

/** Status line, the headers that the page shows, and a body as long as announced. */
function expectReply(reply: RawReply, statusLine: string): void {
  expect(reply.statusLine).toBe(statusLine);
  expect(reply.headers['content-type']).toEqual(['application/x-amz-json-1.1']);
  expect(reply.headers['x-amzn-requestid']).toEqual([
    expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
  ]);
  expect(reply.headers['content-length']).toEqual([String(Buffer.byteLength(reply.body))]);
}

describe('the samples', () => {
  const sharedDaemon = shareDaemon();
  let daemon: RunningDaemon;
  let serviceId: string;

  beforeEach(async () => {
    daemon = sharedDaemon();
    const api = new Api(daemon.endpoint);
    serviceId = await api.createService(await api.createNamespace('example.com'), 'web', { records: [['SRV', 60]] });
    expect(serviceId).toHaveLength('srv-p5zdwlg5uvvzjita'.length);
  });
  afterEach(() => new Api(daemon.endpoint).wipe());

  it('answers RegisterInstance, GetOperation and DiscoverInstances as shown', async () => {
    const sentAt = Date.now();
    const registered = await post(daemon.httpPort, 'RegisterInstance', registerBody(serviceId));
    const answeredAt = Date.now();
    expectReply(registered, 'HTTP/1.1 200 OK');
    expect(registered.body).toMatch(/^\{"OperationId":"[a-z2-7]{32}-[0-9a-z]{8}"\}$/);
    const { OperationId } = JSON.parse(registered.body) as { OperationId: string };
    // The id's end is the time of submission in base 36.
    const submittedAt = Number.parseInt(OperationId.slice(-8), 36);
    expect(submittedAt).toBeGreaterThanOrEqual(sentAt);
    expect(submittedAt).toBeLessThanOrEqual(answeredAt);

    const operation = await post(daemon.httpPort, 'GetOperation', JSON.stringify({ OperationId }));
    expectReply(operation, 'HTTP/1.1 200 OK');
    expect(JSON.parse(operation.body)).toEqual({
      Operation: {
        Id: OperationId,
        OwnerAccount: '123456789012',
        Type: 'REGISTER_INSTANCE',
        Status: 'SUCCESS',
        CreateDate: submittedAt / 1000,
        UpdateDate: expect.any(Number),
        Targets: { INSTANCE: 'web-1', SERVICE: serviceId },
      },
    });
    expect(operation.body).toMatch(/"CreateDate":\d{10}(\.\d{1,3})?[,}]/);
    expect(operation.body).toMatch(/"UpdateDate":\d{10}(\.\d{1,3})?[,}]/);

    const discovered = await post(
      daemon.httpPort,
      'DiscoverInstances',
      '{"NamespaceName":"example.com","ServiceName":"web"}',
    );
    expectReply(discovered, 'HTTP/1.1 200 OK');
    expect(JSON.parse(discovered.body)).toEqual({
      Instances: [
        {
          InstanceId: 'web-1',
          NamespaceName: 'example.com',
          ServiceName: 'web',
          HealthStatus: 'UNKNOWN',
          Attributes: ATTRIBUTES,
        },
      ],
      InstancesRevision: expect.any(Number),
    });
    expect(discovered.body).toMatch(/"InstancesRevision":\d{13}\}$/);
  });

  it('answers the same request again with the same operation', async () => {
    const first = await post(daemon.httpPort, 'RegisterInstance', registerBody(serviceId));
    const second = await post(daemon.httpPort, 'RegisterInstance', registerBody(serviceId));
    expectReply(second, 'HTTP/1.1 200 OK');
    expect(second.body).toBe(first.body);
    expect(second.headers['x-amzn-requestid']).not.toEqual(first.headers['x-amzn-requestid']);
  });

  it('puts the SRV record and its companion into DNS', async () => {
    await post(daemon.httpPort, 'RegisterInstance', registerBody(serviceId));
    expect(await dig(daemon.dnsPort, 'web.example.com', 'SRV')).toMatchObject({
      rcode: 'NOERROR',
      aa: true,
      answer: ['web.example.com. 60 IN SRV 1 1 8080 web-1.web.example.com.'],
      additional: ['web-1.web.example.com. 60 IN A 10.0.0.7'],
    });
    expect(await dig(daemon.dnsPort, 'web-1.web.example.com', 'A')).toMatchObject({
      rcode: 'NOERROR',
      answer: ['web-1.web.example.com. 60 IN A 10.0.0.7'],
    });
  });

  it('shows dig the sample of the page', async (context) => {
    requireTool(context, 'dig');
    await post(daemon.httpPort, 'RegisterInstance', registerBody(serviceId));
    const output = await runDig(daemon.dnsPort, [
      'web.example.com',
      'SRV',
      '+noall',
      '+answer',
      '+additional',
      '+nocomments',
    ]);
    const records = output.split('\n').filter((line) => line !== '' && !line.startsWith(';'));
    expect(records.map((line) => line.replaceAll(/\s+/g, ' '))).toEqual([
      'web.example.com. 60 IN SRV 1 1 8080 web-1.web.example.com.',
      'web-1.web.example.com. 60 IN A 10.0.0.7',
    ]);
  });
});

it('answers DuplicateRequest as shown while a registration of the instance is pending', async () => {
  const config = journey.writeFile(
    'cloudmapd.yaml',
    `namespaces:
  - name: example.com
    type: DNS_PRIVATE
    services:
      - { name: web, dns: { records: [{ type: SRV, ttl: 60 }] } }
`,
  );
  const { endpoint, httpPort, dnsPort } = await journey.start({
    settings: { CONFIG: config, OPERATION_DELAY_MS: '600000' },
  });
  const api = new Api(endpoint);
  const { Services } = await api.sdk.send(new ListServicesCommand({}));
  const serviceId = Services?.[0]?.Id as string;

  const accepted = await post(httpPort, 'RegisterInstance', registerBody(serviceId));
  expectReply(accepted, 'HTTP/1.1 200 OK');
  const { OperationId } = JSON.parse(accepted.body) as { OperationId: string };

  const refused = await post(
    httpPort,
    'RegisterInstance',
    registerBody(serviceId, '00000000-0000-4000-8000-000000000000'),
  );
  expectReply(refused, 'HTTP/1.1 400 Bad Request');
  expect(JSON.parse(refused.body)).toEqual({
    __type: 'DuplicateRequest',
    Message: expect.stringContaining(OperationId),
    DuplicateOperationId: OperationId,
  });
  expect(await api.operation(OperationId)).toMatchObject({ Status: 'PENDING' });
  expect(await api.instanceIds(serviceId)).toEqual([]);
  expect(await dig(dnsPort, 'web.example.com', 'SRV')).toMatchObject({ rcode: 'NXDOMAIN' });
});
