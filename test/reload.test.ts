import { writeFileSync } from 'node:fs';
import { expect, it, onTestFinished, vi } from 'vitest';
import { startApi } from './support/api.ts';
import { startFakeEc2 } from './support/fake-ec2.ts';

const yamlOf = (instances: string): string => `namespaces:
  - name: corp.internal
    type: HTTP
    services:
      - name: web
        instances: [${instances}]
`;

it('tries a file again, though it is as it was, when what stood in its way may have gone', async () => {
  const addresses: Record<string, string> = {};
  const ec2 = await startFakeEc2(addresses);
  onTestFinished(() => ec2.close());
  const api = await startApi({ ec2Endpoint: ec2.endpoint }, yamlOf(''));
  onTestFinished(() => api.close());
  const idsOf = async () => {
    const { Instances } = (await api.ok('DiscoverInstances', {
      NamespaceName: 'corp.internal',
      ServiceName: 'web',
    })) as never as { Instances: { InstanceId: string }[] };
    return Instances.map(({ InstanceId }) => InstanceId);
  };
  writeFileSync(
    api.daemon.configFile as string,
    yamlOf('{ id: web-1, attributes: { AWS_EC2_INSTANCE_ID: i-0123456789abcdef0 } }'),
  );
  await vi.waitUntil(() => ec2.asked.length === 1, { timeout: 30_000 });
  expect(await idsOf()).toEqual([]);
  addresses['i-0123456789abcdef0'] = '10.0.0.9';
  const now = performance.now.bind(performance);
  let passedMs = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + passedMs);
  onTestFinished(() => clock.mockRestore());
  const hasCome = async (): Promise<boolean> => {
    // By the first time it may not have been refused yet.
    passedMs += 31_000;
    return (await idsOf()).length > 0;
  };
  await vi.waitUntil(hasCome, { timeout: 30_000, interval: 100 });
  expect(await idsOf()).toEqual(['web-1']);
});
