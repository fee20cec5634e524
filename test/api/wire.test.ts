import { once } from 'node:events';
import { connect } from 'node:net';
import * as client from '@aws-sdk/client-servicediscovery';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACTIONS } from '../../src/api/wire.ts';
import { CONTENT_TYPE, rawRequest, startApi, TARGET, type TestApi, UUID } from '../support/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const LIST = { 'x-amz-target': `${TARGET}ListNamespaces`, 'content-type': CONTENT_TYPE };

describe('request', () => {
  it('takes an empty body as {}', async () => {
    expect(await api.call('ListNamespaces', '')).toMatchObject({ status: 200, body: { Namespaces: [] } });
  });

  it('takes null members as absent ones', async () => {
    const reply = await api.call('ListNamespaces', { Filters: null, MaxResults: null, NextToken: null });
    expect(reply).toMatchObject({ status: 200, body: { Namespaces: [] } });
    await api.refused('GetNamespace', { Id: null }, 'InvalidInput', /Id/);
  });

  it('takes null inside nested members as absent too', async () => {
    await api.refused(
      'ListNamespaces',
      { Filters: [{ Name: null, Values: ['HTTP'] }] },
      'InvalidInput',
      /Filters\.0\.Name/,
    );
  });

  it('ignores members that it does not know', async () => {
    expect((await api.call('ListNamespaces', { Colour: 'green', Filters: [] })).status).toBe(200);
  });

  it.each([
    ['half an object', '{"Id":'],
    ['a word', 'nonsense'],
    ['form fields', 'Action=ListNamespaces'],
    ['an array', '[]'],
    ['a string', '"{}"'],
    ['a number', '3'],
  ])('refuses a body that is %s with SerializationException', async (_, body) => {
    await api.refused('ListNamespaces', body, 'SerializationException');
  });

  it('looks at types before anything else', async () => {
    for (const body of [
      { Filters: [{ Values: [5] }], MaxResults: 0 },
      { MaxResults: 0, NextToken: 5 },
    ])
      await api.refused('ListNamespaces', body, 'SerializationException', /^(Filters\.0\.Values\.0|NextToken):/);
  });

  it.each([
    ['of no operation', `${TARGET}MakeCoffee`],
    ['of another version', 'Route53AutoNaming_v20180101.ListNamespaces'],
    ['of another service', 'DynamoDB_20120810.ListTables'],
    ['without the prefix', 'ListNamespaces'],
    ['that is empty', ''],
    ['of an inherited property', `${TARGET}constructor`],
  ])('refuses a target %s with UnknownOperationException', async (_, target) => {
    const { status, text } = await rawRequest(api.httpPort, { headers: { 'x-amz-target': target }, body: '{}' });
    expect({ status, body: JSON.parse(text) }).toMatchObject({
      status: 400,
      body: { __type: 'UnknownOperationException' },
    });
  });

  it('refuses a request without a target with UnknownOperationException', async () => {
    const { status, text } = await rawRequest(api.httpPort, { headers: { 'content-type': CONTENT_TYPE }, body: '{}' });
    expect(status).toBe(400);
    expect(JSON.parse(text)).toEqual({ __type: 'UnknownOperationException', Message: expect.any(String) });
  });

  it('says of a target that it does not know what it was and what is expected', () =>
    api.refused('MakeCoffee', {}, 'UnknownOperationException', /MakeCoffee.*Route53AutoNaming_v20170314\./));

  it('knows each of the 30 operations that the SDK has a command for, and no other', () => {
    const commands = Object.keys(client).filter((name) => name.endsWith('Command') && name !== '$Command');
    const operations = commands.map((name) => name.slice(0, -'Command'.length));
    expect(operations).toHaveLength(30);
    expect([...ACTIONS.keys()].sort()).toEqual(operations.sort());
  });

  it.each([...ACTIONS.keys()])('carries %s out, not merely knows it', async (operation) => {
    expect((await api.call(operation)).body.__type).not.toBe('UnknownOperationException');
  });

  it.each(['GET', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS'])(
    'answers %s with 405 and says what is allowed',
    async (method) => {
      const { status, headers } = await rawRequest(api.httpPort, { method, headers: LIST });
      expect({ status, allow: headers.allow }).toEqual({ status: 405, allow: 'POST' });
    },
  );

  it('answers 404 elsewhere', async () => {
    expect((await rawRequest(api.httpPort, { path: '/elsewhere', headers: LIST, body: '{}' })).status).toBe(404);
  });

  it.each(['application/x-www-form-urlencoded', 'text/plain', 'application/json; charset=utf-8'])(
    'reads the body as JSON under the content type %s',
    async (type) => {
      const headers = { ...LIST, 'content-type': type };
      const { status, text } = await rawRequest(api.httpPort, { headers, body: '{"MaxResults":0}' });
      expect({ status, body: JSON.parse(text) }).toMatchObject({ status: 400, body: { __type: 'InvalidInput' } });
    },
  );

  it('reads the body under an empty content type', async () => {
    const headers = { ...LIST, 'content-type': '' };
    const { status, text } = await rawRequest(api.httpPort, { headers, body: '{"MaxResults":0}' });
    expect({ status, body: JSON.parse(text) }).toMatchObject({ status: 400, body: { __type: 'InvalidInput' } });
  });

  it('refuses a path that cannot be decoded in its own form', async () => {
    const { status, text } = await rawRequest(api.httpPort, { path: '/%zz', headers: LIST, body: '{}' });
    expect({ status, body: JSON.parse(text) }).toMatchObject({ status: 400, body: { __type: 'BadRequest' } });
  });

  it('reads the body without a content type', async () => {
    const headers = { 'x-amz-target': LIST['x-amz-target'] };
    const { status, text } = await rawRequest(api.httpPort, { headers, body: '{"MaxResults":0}' });
    expect({ status, body: JSON.parse(text) }).toMatchObject({ status: 400, body: { __type: 'InvalidInput' } });
  });

  it('takes header names in any case', async () => {
    const headers = { 'X-AMZ-TARGET': LIST['x-amz-target'], 'CONTENT-TYPE': CONTENT_TYPE };
    expect((await rawRequest(api.httpPort, { headers, body: '{}' })).status).toBe(200);
  });

  it('takes a signature of any region and key', async () => {
    const reply = await api.call(
      'ListNamespaces',
      {},
      {
        authorization:
          'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20300101/eu-west-3/servicediscovery/aws4_request, SignedHeaders=host, Signature=00',
        'x-amz-date': '20300101T000000Z',
        'x-amz-security-token': 'token',
      },
    );
    expect(reply.status).toBe(200);
  });
});

describe('response', () => {
  it('has the content type and a fresh x-amzn-RequestId, whether it succeeds or not', async () => {
    const replies = [
      await api.call('ListNamespaces'),
      await api.call('ListNamespaces'),
      await api.call('GetNamespace', { Id: 'ns-none' }),
      await api.call('ListNamespaces', '{'),
    ];
    for (const { headers } of replies) expect(headers.get('content-type')).toBe(CONTENT_TYPE);
    const ids = replies.map(({ headers }) => headers.get('x-amzn-requestid'));
    for (const id of ids) expect(id).toMatch(UUID);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('names an error by __type and Message with status 400', async () => {
    const { status, body } = await api.call('GetService', { Id: 'srv-none' });
    expect({ status, body }).toEqual({
      status: 400,
      body: { __type: 'ServiceNotFound', Message: expect.stringContaining('srv-none') },
    });
  });

  it('refuses a body that is too large with a client error, and goes on', async () => {
    const huge = await api.call('GetNamespace', { Id: 'x'.repeat(2 * 1024 * 1024) });
    expect(huge.status).toBe(400);
    expect((await api.call('ListNamespaces')).status).toBe(200);
  });
});

describe('hosts', () => {
  it.each([
    'data-servicediscovery.eu-west-1.amazonaws.com',
    'data-localhost',
    'cloudmap:8053',
    'data-cloudmap',
    '[::1]:8053',
  ])('serves every operation under the Host %s', async (host) => {
    const discover = { 'x-amz-target': `${TARGET}DiscoverInstances`, host };
    const body = '{"NamespaceName":"none","ServiceName":"none"}';
    const found = await rawRequest(api.httpPort, { headers: discover, body });
    expect(JSON.parse(found.text)).toMatchObject({ __type: 'NamespaceNotFound' });
    expect((await rawRequest(api.httpPort, { headers: { ...LIST, host }, body: '{}' })).status).toBe(200);
  });

  it.each([
    ['GET', 'http://www.example.com/', 403],
    ['POST', 'http://www.example.com/', 403],
    ['GET', 'https://www.example.com:443/healthz', 403],
    ['GET', 'http://192.0.2.1/healthz', 403],
    ['GET', 'http://127.0.0.1@192.0.2.1/healthz', 403],
    ['GET', 'http://LOCALHOST:99/healthz', 200],
    ['GET', 'http://[::1]:8053/healthz', 200],
    ['GET', 'http://localhost:1/healthz', 200],
    ['GET', 'http://127.0.0.1/healthz', 200],
    ['GET', 'http://[::1]:8053/healthz', 200],
  ])('is no proxy: %s %s answers %i', async (method, path, status) => {
    expect((await rawRequest(api.httpPort, { method, path })).status).toBe(status);
  });

  it('refuses in the wire form, with an id of the request', async () => {
    const { headers, text } = await rawRequest(api.httpPort, { method: 'GET', path: 'http://www.example.com/' });
    expect(headers['content-type']).toBe(CONTENT_TYPE);
    expect(headers['x-amzn-requestid']).toMatch(UUID);
    expect(JSON.parse(text)).toEqual({ __type: 'AccessDeniedException', Message: expect.stringMatching(/proxy/) });
  });

  it('opens no tunnel', async () => {
    const socket = connect(api.httpPort, '127.0.0.1');
    socket.write('CONNECT www.example.com:443 HTTP/1.1\r\nHost: www.example.com:443\r\n\r\n');
    const [chunk] = await once(socket, 'data');
    expect(String(chunk)).toMatch(/^HTTP\/1\.1 403 /);
    socket.destroy();
  });

  it.each([
    'http://servicediscovery.us-east-1.amazonaws.com/',
    'http://servicediscovery.us-east-1.amazonaws.com',
    'https://data-localhost:8053/',
  ])('takes the absolute-form target %s', async (target) => {
    const reply = await exchange(
      `POST ${target} HTTP/1.1\r\nHost: servicediscovery.us-east-1.amazonaws.com\r\nConnection: close\r\n` +
        `Content-Type: ${CONTENT_TYPE}\r\nX-Amz-Target: ${TARGET}ListNamespaces\r\nContent-Length: 2\r\n\r\n{}`,
    );
    expect(reply).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(reply).toContain('{"Namespaces":[]}');
  });

  it('takes a body in chunks', async () => {
    const reply = await exchange(
      `POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Amz-Target: ${TARGET}ListNamespaces\r\n` +
        'Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n',
    );
    expect(reply).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });

  function exchange(text: string): Promise<string> {
    return new Promise((resolve, reject) => {
      let received = '';
      const socket = connect(api.httpPort, '127.0.0.1', () => socket.write(text));
      socket.setEncoding('utf8');
      socket.on('data', (chunk: string) => {
        received += chunk;
      });
      socket.once('end', () => resolve(received));
      socket.once('error', reject);
    });
  }
});

describe('browsers', () => {
  const own = () => `http://127.0.0.1:${api.httpPort}`;
  const send = (headers: Readonly<Record<string, string>>) =>
    rawRequest(api.httpPort, { headers: { ...LIST, ...headers }, body: '{}' });

  it.each([
    ['another origin', { origin: 'https://evil.example' }],
    ['this host at another port', { origin: 'http://127.0.0.1:1' }],
    ['an opaque origin', { origin: 'null' }],
    ['another site', { 'sec-fetch-site': 'cross-site' }],
    ['another origin of the same site', { 'sec-fetch-site': 'same-site' }],
  ])('refuses a request from %s with 403', async (_, headers) => {
    const { status, text } = await send(headers);
    expect({ status, body: JSON.parse(text) }).toMatchObject({
      status: 403,
      body: { __type: 'AccessDeniedException', Message: expect.any(String) },
    });
  });

  it('changes nothing for a refused request', async () => {
    const headers = { 'x-amz-target': `${TARGET}CreateHttpNamespace`, origin: 'https://evil.example' };
    expect((await rawRequest(api.httpPort, { headers, body: '{"Name":"evil"}' })).status).toBe(403);
    expect((await api.ok('ListNamespaces')).Namespaces).toEqual([]);
  });

  it('serves its own pages and what the user typed', async () => {
    expect((await send({ origin: own() })).status).toBe(200);
    expect((await send({ 'sec-fetch-site': 'same-origin', origin: own() })).status).toBe(200);
    expect((await send({ 'sec-fetch-site': 'none' })).status).toBe(200);
  });
});
