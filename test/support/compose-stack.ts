/** A stack of config/compose.example.yaml, as a user brings it up, with one more service for the tests. */
import { realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ContainerEngine, Output } from './container-engine.ts';
import { BUSYBOX_IMAGE, CLOUDMAPD_IMAGE, DEBIAN_IMAGE } from './container-images.ts';

const EXAMPLE = new URL('../../config/compose.example.yaml', import.meta.url).pathname;
const SDK_CALL = new URL('../journeys/compose/sdk-call.ts', import.meta.url).pathname;
const NODE_MODULES = realpathSync(new URL('../../node_modules', import.meta.url).pathname);

/** `debian` is for programs of glibc and for the SDK; the rest is of the example. */
export type StackService = 'cloudmap' | 'web' | 'api' | 'client' | 'debian';
const SERVICES: readonly StackService[] = ['cloudmap', 'web', 'api', 'client', 'debian'];

export class ComposeStack {
  /** The nameserver, as the example fixes it. */
  readonly nameserver: string;
  readonly #engine: ContainerEngine;
  readonly #project: string;
  readonly #subnet: string;
  readonly #override: string;

  /**
   * @param subnet its first three octets
   * @param settings of cloudmapd beyond the example's, without CLOUDMAPD_
   */
  constructor(
    engine: ContainerEngine,
    project: string,
    subnet: string,
    settings: Readonly<Record<string, string>> = {},
  ) {
    this.#engine = engine;
    this.#project = project;
    this.#subnet = subnet;
    this.nameserver = `${subnet}.53`;
    this.#override = join(engine.folder, `${project}.yaml`);
    // JSON is YAML, too.
    writeFileSync(this.#override, JSON.stringify({ services: this.#services(settings) }));
  }

  /** Ends when every container runs; those that need cloudmapd begin when it is healthy. @throws Error */
  async up(): Promise<void> {
    let isUp = false;
    const up = this.compose('up', '--detach').finally(() => {
      isUp = true;
    });
    while (!isUp) {
      // Before cloudmapd is healthy it is the only one in its network.
      await this.#engine.pinBridges();
      await this.#engine.checkHealth(this.#container('cloudmap'));
    }
    await up;
  }

  /** docker-compose with these arguments. @returns what it says on stdout. @throws Error where it fails */
  compose(...args: readonly string[]): Promise<string> {
    const files = ['-f', EXAMPLE, '-f', this.#override, '-p', this.#project];
    return this.#engine.compose([...files, ...args], { SERVICE_IMAGE: BUSYBOX_IMAGE, CLOUDMAP_SUBNET: this.#subnet });
  }

  /** Runs a command in the service's container. */
  exec(service: StackService, ...command: readonly string[]): Promise<Output> {
    return this.#engine.run(['podman', 'exec', this.#container(service), ...command]);
  }

  /** What the engine says it is. */
  async address(service: StackService): Promise<string> {
    const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}';
    return (await this.#engine.podman('inspect', '--format', format, this.#container(service))).trim();
  }

  /** What the service's container has said so far. */
  logs(service: StackService): Promise<string> {
    return this.#engine.podman('logs', this.#container(service));
  }

  /** Compose's own names differ from version to version. */
  #container(service: StackService): string {
    return `${this.#project}-${service}`;
  }

  #services(settings: Readonly<Record<string, string>>): object {
    const named = SERVICES.map((service) => [service, { container_name: this.#container(service) }]);
    const environment = Object.entries(settings).map(([key, value]) => [`CLOUDMAPD_${key}`, value]);
    const { cloudmap, debian, ...others } = Object.fromEntries(named) as Record<StackService, object>;
    return {
      ...others,
      cloudmap: { ...cloudmap, image: CLOUDMAPD_IMAGE, environment: Object.fromEntries(environment) },
      debian: {
        ...debian,
        image: DEBIAN_IMAGE,
        command: ['sleep', 'infinity'],
        stop_signal: 'SIGKILL',
        dns: this.nameserver,
        networks: ['stack'],
        depends_on: { cloudmap: { condition: 'service_healthy' } },
        volumes: [`${NODE_MODULES}:/app/node_modules:ro`, `${SDK_CALL}:/app/sdk-call.ts:ro`],
      },
    };
  }
}
