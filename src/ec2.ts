/** Asks an EC2-compatible endpoint for the address of an EC2 instance (EC2: DescribeInstances). */
import { isIPv4 } from 'node:net';
import type { Ec2Answer } from './registry/attributes.ts';

/** A registration waits for the answer, and its client waits for the registration. */
const TIMEOUT_MS = 3000;

/**
 * @param endpoint URL
 * @returns the look-up of one EC2 instance by its id; it never rejects, and asks anew each time
 */
export function createEc2Lookup(endpoint: string, region: string): (id: string) => Promise<Ec2Answer> {
  return async (id) => {
    // Loaded when first needed: it is large, and hardly anybody needs it.
    const { DescribeInstancesCommand, EC2Client } = await import('@aws-sdk/client-ec2');
    const client = new EC2Client({
      endpoint,
      region,
      credentials: credentials(process.env),
      maxAttempts: 1,
      requestHandler: { connectionTimeout: TIMEOUT_MS, requestTimeout: TIMEOUT_MS, throwOnRequestTimeout: true },
    });
    try {
      const { Reservations = [] } = await client.send(new DescribeInstancesCommand({ InstanceIds: [id] }));
      const instance = Reservations.flatMap(({ Instances = [] }) => Instances).find(
        ({ InstanceId }) => InstanceId === id,
      );
      if (instance === undefined) return { problem: `${endpoint} does not know it` };
      const { PrivateIpAddress: address = '', State } = instance;
      if (isIPv4(address)) return { address };
      return { problem: `${endpoint} says that it has no private address (${State?.Name ?? 'state unknown'})` };
    } catch (error) {
      const { name, message } = error as Error;
      if (name.startsWith('InvalidInstanceID')) return { problem: `${endpoint} does not know it (${name})` };
      return { problem: `${endpoint} could not be asked (${message || name})` };
    } finally {
      client.destroy();
    }
  };
}

/** The environment's where it has some; emulators take any. */
function credentials(env: NodeJS.ProcessEnv) {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN } = env;
  if (!accessKeyId || !secretAccessKey) return { accessKeyId: 'cloudmapd', secretAccessKey: 'cloudmapd' };
  return { accessKeyId, secretAccessKey, ...(AWS_SESSION_TOKEN ? { sessionToken: AWS_SESSION_TOKEN } : {}) };
}
