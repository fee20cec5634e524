/** `cloudmapd check FILE`: what `serve` would say of the file, without touching anything. */
import { loadConfiguration, SettingError } from '../config.ts';
import { ConfigFileError } from '../declared/yaml.ts';
import { ec2LookupOf, prepareContent } from '../declared-content.ts';
import { count } from './count.ts';
import { EXIT_USAGE } from './exit-codes.ts';

export async function check(file: string): Promise<void> {
  try {
    const configuration = loadConfiguration({ config: file }, {});
    const { content } = await prepareContent(configuration, ec2LookupOf(configuration.settings));
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
