/** The real SDK client, pointed at a daemon of ours. */
import { ServiceDiscoveryClient } from '@aws-sdk/client-servicediscovery';

export function sdkClient(endpoint: string): ServiceDiscoveryClient {
  return new ServiceDiscoveryClient({
    endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    // The README's way past the `data-` prefix for this client.
    disableHostPrefix: true,
    // A refusal is the answer that a test wants to see, not something to wait out.
    maxAttempts: 1,
  });
}
