import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfiguration } from '../../src/config.ts';
import { startDaemon } from '../../src/daemon.ts';
import { createLog } from '../../src/log.ts';
import { startApi, type TestApi } from '../support/api.ts';
import { type FakeEc2, startFakeEc2 } from '../support/fake-ec2.ts';
import { setUpJourney } from '../support/journey-tools.ts';

/** AWS_EC2_INSTANCE_ID where CLOUDMAPD_EC2_ENDPOINT is set. */
describe('an EC2 instance id, with an endpoint of EC2', () => {
  let ec2: FakeEc2;
  let api: TestApi;
  let service: string;
  const journey = setUpJourney();

  beforeAll(async () => {
    ec2 = await startFakeEc2({ 'i-0known': '10.1.2.3', 'i-0mapped': '10.1.2.4', 'i-0gone': null });
    api = await startApi({ ec2Endpoint: ec2.endpoint }, 'ec2Instances: { i-0mapped: 10.9.9.9 }');
    const namespace = await api.createNamespace('Http', { Name: 'jobs' });
    service = await api.createService(namespace, 'worker');
  });
  afterAll(async () => {
    await api.close();
    await ec2.close();
  });

  const attributesOf = async (id: string) =>
    (await api.ok('GetInstance', { ServiceId: service, InstanceId: id })).Instance.Attributes;
  const register = (id: string) => ({ ServiceId: service, InstanceId: id, Attributes: { AWS_EC2_INSTANCE_ID: id } });

  it('brings the primary private address that DescribeInstances gives', async () => {
    await api.register(service, 'i-0known', { AWS_EC2_INSTANCE_ID: 'i-0known' });
    expect(await attributesOf('i-0known')).toEqual({ AWS_EC2_INSTANCE_ID: 'i-0known', AWS_INSTANCE_IPV4: '10.1.2.3' });
    const { Instances } = await api.ok('DiscoverInstances', { NamespaceName: 'jobs', ServiceName: 'worker' });
    expect(Instances.map(({ Attributes }) => Attributes.AWS_INSTANCE_IPV4)).toContain('10.1.2.3');
  });

  it('is taken from the map of the file where that has it, without asking', async () => {
    await api.register(service, 'i-0mapped', { AWS_EC2_INSTANCE_ID: 'i-0mapped' });
    expect(await attributesOf('i-0mapped')).toMatchObject({ AWS_INSTANCE_IPV4: '10.9.9.9' });
    expect(ec2.asked).not.toContain('i-0mapped');
  });

  it('is InvalidInput where the endpoint does not know it, and the message names both settings', async () => {
    const message = /"i-0unknown".*does not know it.*ec2Instances.*CLOUDMAPD_EC2_ENDPOINT/;
    await api.refused('RegisterInstance', register('i-0unknown'), 'InvalidInput', message);
    await api.refused('GetInstance', { ServiceId: service, InstanceId: 'i-0unknown' }, 'InstanceNotFound');
  });

  it('is InvalidInput where the instance has no address any longer', async () => {
    await api.refused('RegisterInstance', register('i-0gone'), 'InvalidInput', /no private address \(terminated\)/);
  });

  it('is InvalidInput with the reason where the endpoint cannot be reached', async () => {
    const gone = await startFakeEc2({});
    await gone.close();
    const other = await startApi({ ec2Endpoint: gone.endpoint });
    try {
      const id = await other.createService(await other.createNamespace('Http', { Name: 'jobs' }), 'worker');
      const body = { ...register('i-0known'), ServiceId: id };
      await other.refused('RegisterInstance', body, 'InvalidInput', /could not be asked \(.*ECONNREFUSED/);
    } finally {
      await other.close();
    }
  });

  it('is asked for once everything else about the call is right', async () => {
    const before = ec2.asked.length;
    const wrong = { ...register('i-0known'), ServiceId: 'srv-nope' };
    await api.refused('RegisterInstance', wrong, 'ServiceNotFound');
    const mixed = { ...register('i-0known'), Attributes: { AWS_EC2_INSTANCE_ID: 'i-0known', x: 'y' } };
    await api.refused('RegisterInstance', mixed, 'InvalidInput', /alone may accompany/);
    expect(ec2.asked.length).toBe(before);
  });

  it('is not asked for again by a repeated request', async () => {
    const body = { ...register('i-0known'), InstanceId: 'again', CreatorRequestId: 'request-1' };
    const { OperationId } = await api.ok('RegisterInstance', body);
    const before = ec2.asked.length;
    expect((await api.ok('RegisterInstance', body)).OperationId).toBe(OperationId);
    expect(ec2.asked.length).toBe(before);
  });

  it('still stands for its address when the operation happens later', async () => {
    const delayed = await startApi({ ec2Endpoint: ec2.endpoint, operationDelayMs: '1' });
    try {
      const id = await delayed.createService(await delayed.createNamespace('Http', { Name: 'jobs' }), 'worker');
      await delayed.register(id, 'i-0known', { AWS_EC2_INSTANCE_ID: 'i-0known' });
      const { Instance } = await delayed.ok('GetInstance', { ServiceId: id, InstanceId: 'i-0known' });
      expect(Instance.Attributes.AWS_INSTANCE_IPV4).toBe('10.1.2.3');
    } finally {
      await delayed.close();
    }
  });

  const declared = (id: string) => `ec2Endpoint: ${ec2.endpoint}
namespaces:
  - name: jobs
    type: HTTP
    services:
      - name: worker
        instances:
          - { id: one, attributes: { AWS_EC2_INSTANCE_ID: ${id} } }
`;
  const startFrom = (file: string) =>
    startDaemon(
      loadConfiguration({ config: file, store: 'memory', http: '127.0.0.1:0', dns: '127.0.0.1:0' }, {}),
      createLog('error'),
    );

  it('may be declared in the file', async () => {
    const daemon = await startFrom(journey.writeFile('shop.yaml', declared('i-0known')));
    try {
      const instances = [...daemon.registry.state.namespaces()]
        .flatMap(({ id }) => [...daemon.registry.state.servicesOf(id)])
        .flatMap(({ id }) => [...daemon.registry.state.instancesOf(id).values()]);
      expect(instances.map(({ attributes }) => attributes.AWS_INSTANCE_IPV4)).toEqual(['10.1.2.3']);
    } finally {
      await daemon.close();
    }
  });

  it('ends the start with file and line where the file declares an unknown one', async () => {
    const file = journey.writeFile('shop.yaml', declared('i-0unknown'));
    await expect(startFrom(file)).rejects.toThrow(/shop\.yaml:8: .*AWS_EC2_INSTANCE_ID.*"i-0unknown" is not known/);
  });
});
