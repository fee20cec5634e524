/** `cloudmapd check FILE`: what `serve` would say of the file, without touching anything. */
import { loadConfiguration, registryOptions, SettingError } from '../config.ts';
import { checkContent } from '../declared/declare.ts';
import { findEc2Addresses } from '../declared/ec2-addresses.ts';
import { ConfigFileError } from '../declared/yaml.ts';
import { createEc2Lookup } from '../ec2.ts';
import { count } from './count.ts';
import { EXIT_USAGE } from './exit-codes.ts';

export async function check(file: string): Promise<void> {
  try {
    const configuration = loadConfiguration({ config: file }, {});
    const { settings, yaml } = configuration;
    const ec2 = settings.ec2Endpoint === undefined ? null : createEc2Lookup(settings.ec2Endpoint, settings.region);
    const content = yaml === null ? configuration.content : await findEc2Addresses(configuration.content, yaml, ec2);
    if (yaml !== null) checkContent(content, yaml, registryOptions({ ...configuration, content }));
    const services = content.namespaces.flatMap((namespace) => namespace.services);
    const instances = services.flatMap((service) => service.instances);
    process.stdout.write(
      `${file}: ok: ${count(content.namespaces.length, 'namespace')}, ${count(services.length, 'service')}, ${count(instances.length, 'instance')}\n`,
    );
  } catch (error) {
    if (!(error instanceof SettingError || error instanceof ConfigFileError)) throw error;
    process.stderr.write(`cloudmapd: ${error.message}\n`);
    process.exitCode = EXIT_USAGE;
  }
}
