/**
 * Runs in a container of the stack: one call of the SDK, as a program in there makes it, which knows of cloudmapd
 * nothing but the endpoint. Arguments: the operation, its input in JSON. Prints the output in JSON.
 */
import * as sdk from '@aws-sdk/client-servicediscovery';

const [operation, input] = process.argv.slice(2) as [string, string];
const client = new sdk.ServiceDiscoveryClient({
  endpoint: 'http://cloudmap:8053',
  region: 'us-east-1',
  credentials: { accessKeyId: 'any', secretAccessKey: 'any' },
});
const commands: Readonly<Record<string, unknown>> = { ...sdk };
const Command = commands[`${operation}Command`] as typeof sdk.ListServicesCommand;
console.log(JSON.stringify(await client.send(new Command(JSON.parse(input)))));
