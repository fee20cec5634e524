/** `cloudmapd check FILE`: what `serve` would say of the file, without touching anything. */
import { loadConfiguration, registryOptions, SettingError } from '../config.ts';
import { checkContent } from '../declared/declare.ts';
import { ConfigFileError } from '../declared/yaml.ts';
import { count } from './count.ts';
import { EXIT_USAGE } from './exit-codes.ts';

export function check(file: string): void {
  try {
    const configuration = loadConfiguration({ config: file }, {});
    const { content, yaml } = configuration;
    if (yaml !== null) checkContent(content, yaml, registryOptions(configuration));
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
