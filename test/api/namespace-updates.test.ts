import { UpdatePrivateDnsNamespaceCommand } from '@aws-sdk/client-servicediscovery';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCOUNT, OTHER_ACCOUNT, startApi, type TestApi } from '../support/api.ts';
import { dig } from '../support/dns.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi({ quotaNamespaces: '0' });
});
afterAll(() => api.close());

const KINDS = ['Http', 'PrivateDns', 'PublicDns'] as const;
const arn = (id: string) => `arn:aws:servicediscovery:us-east-1:${ACCOUNT}:namespace/${id}`;
const soa = (TTL: unknown) => ({ Properties: { DnsProperties: { SOA: { TTL } } } });
let names = 0;
const freshName = () => `updated-${++names}.example`;
const shown = async (Id: string) => (await api.ok('GetNamespace', { Id })).Namespace;
const soaOf = async (name: string) => (await dig(api.dnsPort, name, 'SOA')).answer[0];

describe.each(KINDS)('Update%sNamespace', (kind) => {
  const operation = `Update${kind}Namespace`;
  let Id: string;
  let name: string;
  beforeAll(async () => {
    name = freshName();
    Id = await api.createNamespace(kind, { Name: name, Description: 'first', CreatorRequestId: freshName() });
  });
  const update = (Namespace: object, rest: object = {}) => api.ok(operation, { Id, Namespace, ...rest });
  const refuses = (body: object, type = 'InvalidInput', message: RegExp | null = null) =>
    api.refused(operation, { Id, Namespace: { Description: 'd' }, ...body }, type, message);

  describe('validation', () => {
    it('checks the change before it looks for the namespace', () =>
      refuses({ Id: 'ns-none', Namespace: { Description: 'd'.repeat(1025) } }, 'InvalidInput', /Description/));

    it('does not find what is no namespace of this account and region', async () => {
      const elsewhere = [arn(Id).replace(ACCOUNT, OTHER_ACCOUNT), arn(Id).replace('us-east-1', 'us-west-1')];
      for (const unknown of ['', 'ns-none', name, arn(Id).replace('namespace/', 'service/'), ...elsewhere])
        await refuses({ Id: unknown }, 'NamespaceNotFound');
    });

    it('refuses a namespace of another kind, and changes nothing of it', async () => {
      for (const other of KINDS) {
        if (other === kind) continue;
        const wrong = await api.createNamespace(other, { Name: freshName(), Description: 'kept' });
        await refuses({ Id: wrong }, 'InvalidInput', /type/);
        expect(await shown(wrong)).toMatchObject({ Description: 'kept' });
      }
    });
  });

  describe('behaviour', () => {
    it('answers an operation that ends and targets the namespace', async () => {
      const { OperationId, ...rest } = await update({ Description: 'seen' });
      expect(rest).toEqual({});
      expect((await api.ok('GetOperation', { OperationId })).Operation).toEqual({
        Id: OperationId,
        OwnerAccount: ACCOUNT,
        Type: 'UPDATE_NAMESPACE',
        Status: 'SUCCESS',
        CreateDate: expect.any(Number),
        UpdateDate: expect.any(Number),
        Targets: { NAMESPACE: Id },
      });
      const Filters = [
        { Name: 'TYPE', Values: ['UPDATE_NAMESPACE'] },
        { Name: 'NAMESPACE_ID', Values: [Id] },
      ];
      const { Operations } = await api.ok('ListOperations', { Filters });
      expect(Operations).toContainEqual({ Id: OperationId, Status: 'SUCCESS' });
    });

    it('changes the description and nothing else', async () => {
      const before = await shown(Id);
      await update({ Description: 'changed' });
      expect(await shown(Id)).toEqual({ ...before, Description: 'changed' });
      const listed = (await api.ok('ListNamespaces')).Namespaces.find((namespace) => namespace.Id === Id);
      expect(listed).toMatchObject({ Description: 'changed' });
    });

    it('clears the description with an empty one', async () => {
      await update({ Description: 'to be cleared' });
      await update({ Description: '' });
      expect(await shown(Id)).not.toHaveProperty('Description');
    });

    it('takes an ARN for the Id', async () => {
      await update({ Description: 'by ARN' }, { Id: arn(Id) });
      expect(await shown(Id)).toMatchObject({ Description: 'by ARN' });
    });

    it('answers the same operation to the same UpdaterRequestId and parameters', async () => {
      const rest = { UpdaterRequestId: freshName() };
      const first = await update({ Description: 'one' }, rest);
      await update({ Description: 'two' }, { UpdaterRequestId: freshName() });
      expect(await update({ Description: 'one' }, rest)).toEqual(first);
      expect(await shown(Id)).toMatchObject({ Description: 'two' });
      await refuses({ Namespace: { Description: 'other' }, ...rest }, 'InvalidInput', /request id/i);
    });

    it('remembers an UpdaterRequestId per namespace, and apart from CreatorRequestIds', async () => {
      const request = freshName();
      const other = await api.createNamespace(kind, { Name: freshName(), CreatorRequestId: request });
      const first = await update({ Description: 'one' }, { UpdaterRequestId: request });
      const second = await update({ Description: 'two' }, { Id: other, UpdaterRequestId: request });
      expect(second.OperationId).not.toBe(first.OperationId);
      expect(await shown(other)).toMatchObject({ Description: 'two' });
    });

    it('answers another operation each time where no UpdaterRequestId is given', async () => {
      const first = await update({ Description: 'same' });
      expect((await update({ Description: 'same' })).OperationId).not.toBe(first.OperationId);
    });

    it('does not find a deleted namespace', async () => {
      const gone = await api.createNamespace(kind, { Name: freshName() });
      const rest = { Id: gone, UpdaterRequestId: freshName() };
      await update({ Description: 'd' }, rest);
      await api.ok('DeleteNamespace', { Id: gone });
      await refuses(rest, 'NamespaceNotFound');
    });

    if (kind === 'Http') {
      it('ignores an SOA TTL', async () => {
        const Id = await api.createNamespace('Http', { Name: freshName() });
        await api.refused('UpdateHttpNamespace', { Id, Namespace: soa(5) }, 'InvalidInput', /Description/);
        await api.ok('UpdateHttpNamespace', { Id, Namespace: { Description: 'd', ...soa(5) } });
        expect((await shown(Id)).Properties.DnsProperties).toEqual({ SOA: {} });
      });
    } else describeSoa(kind);
  });
});

function describeSoa(kind: 'PrivateDns' | 'PublicDns'): void {
  describe('SOA', () => {
    const operation = `Update${kind}Namespace`;
    const make = async (rest: object = {}) => {
      const name = freshName();
      return { name, Id: await api.createNamespace(kind, { Name: name, ...rest }) };
    };

    it.each([0, 15, 2147483647])('shows a TTL of %d in GetNamespace and in DNS', async (ttl) => {
      const { Id, name } = await make();
      expect((await shown(Id)).Properties.DnsProperties).toMatchObject({ SOA: {} });
      expect(await soaOf(name)).toMatch(new RegExp(`^${name}\\. 5 IN SOA .* 5$`));
      await api.ok(operation, { Id, Namespace: soa(ttl) });
      expect((await shown(Id)).Properties.DnsProperties).toEqual({
        HostedZoneId: expect.any(String),
        SOA: { TTL: ttl },
      });
      expect(await soaOf(name)).toMatch(new RegExp(`^${name}\\. ${ttl} IN SOA .* ${ttl}$`));
    });

    it('brings the TTL to negative answers and to the name server too', async () => {
      const { Id, name } = await make();
      await api.ok(operation, { Id, Namespace: soa(42) });
      const { rcode, authority } = await dig(api.dnsPort, `none.${name}`, 'A');
      expect([rcode, authority[0]]).toEqual(['NXDOMAIN', expect.stringMatching(/ 42 IN SOA .* 42$/)]);
      expect((await dig(api.dnsPort, name, 'NS')).answer).toEqual([`${name}. 42 IN NS ns.${name}.`]);
      expect((await dig(api.dnsPort, `ns.${name}`, 'A')).answer).toEqual([`ns.${name}. 42 IN A 127.0.0.1`]);
    });

    it('leaves what is omitted as it was', async () => {
      const { Id, name } = await make({ Description: 'first', ...soa(30) });
      const first = await shown(Id);
      await api.ok(operation, { Id, Namespace: { Description: 'second' } });
      expect(await shown(Id)).toEqual({ ...first, Description: 'second' });
      await api.ok(operation, { Id, Namespace: soa(31) });
      expect(await shown(Id)).toMatchObject({
        Description: 'second',
        Properties: { DnsProperties: { SOA: { TTL: 31 } } },
      });
      const before = await shown(Id);
      await api.ok(operation, { Id, Namespace: {} });
      expect(await shown(Id)).toEqual(before);
      expect(await soaOf(name)).toMatch(/ 31 IN SOA /);
    });

    it('keeps what the zone holds', async () => {
      const { Id, name } = await make();
      const service = await api.createService(Id, 'web', { DnsConfig: { DnsRecords: [{ Type: 'A', TTL: 9 }] } });
      await api.register(service, 'one', { AWS_INSTANCE_IPV4: '10.0.0.1' });
      await api.ok(operation, { Id, Namespace: soa(30) });
      expect((await dig(api.dnsPort, `web.${name}`, 'A')).answer).toEqual([`web.${name}. 9 IN A 10.0.0.1`]);
    });

    it('has a serial that grows', async () => {
      const { Id, name } = await make();
      const serial = async () => Number((await soaOf(name))?.split(' ')[6]);
      const before = await serial();
      await api.ok(operation, { Id, Namespace: soa(30) });
      expect(await serial()).toBeGreaterThan(before);
    });
  });
}

describe('while operations are pending', () => {
  let slow: TestApi;
  const ids: Record<string, string> = {};
  beforeAll(async () => {
    const yaml = ['busy', 'leaving', 'same'].map((name) => `  - { name: ${name}, type: HTTP, description: old }`);
    slow = await startApi(
      { operationDelayMs: '3600000' },
      ['namespaces:', ...yaml, '  - { name: z.internal, type: DNS_PRIVATE, vpc: vpc-1 }'].join('\n'),
    );
    for (const { Name, Id } of (await slow.ok('ListNamespaces')).Namespaces) ids[Name] = Id;
  });
  afterAll(() => slow.close());
  const Namespace = { Description: 'new' };

  it('an update is not seen yet, and keeps other updates and the deletion off', async () => {
    const Id = ids.busy;
    const { OperationId } = await slow.ok('UpdateHttpNamespace', { Id, Namespace });
    const { Operation } = await slow.ok('GetOperation', { OperationId });
    expect(Operation).toMatchObject({ Status: 'PENDING', Targets: { NAMESPACE: Id } });
    expect((await slow.ok('GetNamespace', { Id })).Namespace).toMatchObject({ Description: 'old' });
    const members = { DuplicateOperationId: OperationId };
    const message = new RegExp(`UPDATE_NAMESPACE.*${OperationId}`);
    await slow.refused('UpdateHttpNamespace', { Id, Namespace }, 'DuplicateRequest', message, members);
    await slow.refused('DeleteNamespace', { Id }, 'DuplicateRequest', message, members);
  });

  it('an update does not keep services off', () => slow.createService(ids.busy as string, 'meanwhile'));

  it('a deletion keeps updates off', async () => {
    const Id = ids.leaving;
    const { OperationId } = await slow.ok('DeleteNamespace', { Id });
    const members = { DuplicateOperationId: OperationId };
    await slow.refused('UpdateHttpNamespace', { Id, Namespace }, 'DuplicateRequest', /DELETE_NAMESPACE/, members);
  });

  it('the same request again is the same operation', async () => {
    const body = { Id: ids.same, Namespace, UpdaterRequestId: 'r' };
    const first = await slow.ok('UpdateHttpNamespace', body);
    expect(await slow.ok('UpdateHttpNamespace', body)).toEqual(first);
    const other = { ...body, Namespace: { Description: 'other' } };
    await slow.refused('UpdateHttpNamespace', other, 'InvalidInput', /request id/i);
    const members = { DuplicateOperationId: first.OperationId };
    await slow.refused('UpdateHttpNamespace', { ...body, UpdaterRequestId: 's' }, 'DuplicateRequest', null, members);
  });

  it('DuplicateRequest reads in the SDK', async () => {
    const send = () =>
      slow.sdk.send(new UpdatePrivateDnsNamespaceCommand({ Id: ids['z.internal'], Namespace: { Description: 'x' } }));
    const { OperationId } = await send();
    const error = await send().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'DuplicateRequest', DuplicateOperationId: OperationId });
  });

  it('an update is seen, in DNS too, when it has ended', async () => {
    const own = await startApi({ operationDelayMs: '60' });
    try {
      const Id = await own.createNamespace('PublicDns', { Name: 'soon.example' });
      const change = { Description: 'new', ...soa(77) };
      const { OperationId } = await own.ok('UpdatePublicDnsNamespace', { Id, Namespace: change });
      expect((await dig(own.dnsPort, 'soon.example', 'SOA')).answer[0]).toMatch(/ 5 IN SOA /);
      expect(await own.ended(OperationId)).toEqual({ Status: 'SUCCESS', Targets: { NAMESPACE: Id } });
      expect((await own.ok('GetNamespace', { Id })).Namespace).toMatchObject({
        Description: 'new',
        Properties: { DnsProperties: { SOA: { TTL: 77 } } },
      });
      expect((await dig(own.dnsPort, 'soon.example', 'SOA')).answer[0]).toMatch(/ 77 IN SOA /);
    } finally {
      await own.close();
    }
  });
});
