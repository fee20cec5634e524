import {
  CreatePrivateDnsNamespaceCommand,
  CreateServiceCommand,
  DiscoverInstancesCommand,
  GetOperationCommand,
  RegisterInstanceCommand,
} from '@aws-sdk/client-servicediscovery';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeFolder, type RunningDaemon, startTestDaemon } from '../support/daemon.ts';
import { dig } from '../support/dns.ts';
import { sdkClient } from '../support/sdk.ts';

describe('an SDK registers, dig answers', () => {
  const folder = makeFolder();
  let daemon: RunningDaemon;

  beforeAll(async () => {
    daemon = await startTestDaemon({ dataDir: folder.path });
  });
  afterAll(async () => {
    await daemon.stop();
    folder.remove();
  });

  it('answers an instance over UDP as soon as RegisterInstance is answered', async () => {
    const sdk = sdkClient(daemon.endpoint);
    const { OperationId } = await sdk.send(
      new CreatePrivateDnsNamespaceCommand({ Name: 'corp.internal', Vpc: 'vpc-1' }),
    );
    const { Operation } = await sdk.send(new GetOperationCommand({ OperationId }));
    const { Service } = await sdk.send(
      new CreateServiceCommand({
        Name: 'web',
        NamespaceId: Operation?.Targets?.NAMESPACE,
        DnsConfig: { DnsRecords: [{ Type: 'A', TTL: 60 }] },
      }),
    );
    await sdk.send(
      new RegisterInstanceCommand({
        ServiceId: Service?.Id,
        InstanceId: 'web-1',
        Attributes: { AWS_INSTANCE_IPV4: '10.0.0.7', stage: 'beta' },
      }),
    );
    const answer = await dig(daemon.dnsPort, 'web.corp.internal', 'A');
    expect(answer).toMatchObject({ rcode: 'NOERROR', aa: true, answer: ['web.corp.internal. 60 IN A 10.0.0.7'] });

    const found = await sdk.send(new DiscoverInstancesCommand({ NamespaceName: 'corp.internal', ServiceName: 'web' }));
    expect(found.Instances).toMatchObject([{ InstanceId: 'web-1', HealthStatus: 'UNKNOWN' }]);
  });
});
