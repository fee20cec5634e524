/**
 * The configuration file while the daemon runs: when it has changed, or on SIGHUP, its content is declared anew as at
 * the start. A mistake in it changes nothing; a setting that has changed waits for the next start.
 */
import { type Configuration, changedSettings, SettingError, type Settings } from './config.ts';
import { declare } from './declared/declare.ts';
import { FollowedFile, type Reading } from './declared/followed-file.ts';
import { describeTallies, type OutsideRegistry, tallyRecords } from './declared/tally.ts';
import { ConfigFileError, type YamlFile } from './declared/yaml.ts';
import { type Ec2Lookup, localOptionsOf, prepareContent } from './declared-content.ts';
import type { Log } from './log.ts';
import type { Publisher } from './publish/publisher.ts';
import { isStoreFailure, type Registry } from './registry/registry.ts';
import { compileLocalNames, type LocalOptions } from './synthesis/local-names.ts';

/** The file is looked at so often; two looks in a row have to find the same. */
const LOOK_INTERVAL_MS = 1000;
const RETRY_MS = 30_000;

export interface ReloaderParts {
  readonly registry: Registry;
  readonly publisher: Publisher;
  readonly ec2: Ec2Lookup;
  readonly log: Log;
  /** Told of the names of the settings when DNS answers by them. */
  onLocal(local: LocalOptions): void;
}

export class Reloader {
  readonly #name: string;
  readonly #file: FollowedFile;
  readonly #again: Configuration['again'];
  /** Those in force. */
  readonly #settings: Settings;
  readonly #parts: ReloaderParts;
  /** As the file had it when it was last applied. */
  #applied: OutsideRegistry;
  #isAsked = false;
  #running: Promise<void> | null = null;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  /** Why what was read last is not applied, as the log has it. */
  #refusal: string | null = null;
  /** When what was refused is read again though it is the same: what stood in its way may have gone. */
  #retryAt = Number.POSITIVE_INFINITY;
  /** Settings of the file that are not in force, as the log has them. */
  #waiting = '';
  /** What was read last waits for the store to take changes again. */
  #isDue = false;

  /** @param configuration as it was applied at the start; @param yaml its file */
  constructor({ settings, content, again }: Configuration, yaml: YamlFile, parts: ReloaderParts) {
    this.#name = yaml.file;
    this.#file = new FollowedFile(yaml.file, yaml.digest ?? '');
    this.#again = again;
    this.#settings = settings;
    this.#applied = { records: content.records, ec2Instances: content.ec2Instances };
    this.#parts = parts;
    parts.registry.onOutage((outage) => {
      if (outage === null && this.#isDue) this.reload();
    });
  }

  /** Looks at the file from now on. */
  start(): void {
    this.#timer = setTimeout(() => this.#run(), LOOK_INTERVAL_MS).unref();
  }

  /** Reads the file at once, changed or not; where that is under way, once more behind it. */
  reload(): void {
    this.#isAsked = true;
    this.#waiting = '';
    this.#run();
  }

  /** Nothing is submitted to the registry any more. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #run(): void {
    if (this.#running !== null || this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#running = this.#turns().finally(() => {
      this.#running = null;
      if (!this.#isClosed) this.start();
    });
  }

  async #turns(): Promise<void> {
    do {
      const isAsked = this.#isAsked;
      // Who asks from now on may have written what this reading misses.
      this.#isAsked = false;
      if (isAsked) this.#refusal = null;
      const isToRead = isAsked || performance.now() >= this.#retryAt;
      const reading = await (isToRead ? this.#file.read() : this.#file.look());
      if (reading !== null && !this.#isClosed) await this.#apply(reading);
    } while (this.#isAsked && !this.#isClosed);
  }

  async #apply(reading: Reading): Promise<void> {
    const { log } = this.#parts;
    this.#isDue = false;
    this.#retryAt = Number.POSITIVE_INFINITY;
    try {
      const done = await this.#declare(reading);
      if (done !== null) log.info(`${this.#name} was read again: ${done}`);
      this.#refusal = null;
    } catch (error) {
      if (error instanceof SettingError || error instanceof ConfigFileError) {
        if (error.message !== this.#refusal)
          log.error(`${error.message} (nothing of the file is applied, all stays as it was)`);
        this.#refusal = error.message;
        this.#retryAt = performance.now() + RETRY_MS;
      } else if (isStoreFailure(error)) {
        log.error(`${this.#name} is applied as soon as the store takes changes again`);
        this.#isDue = true;
      } else {
        log.error({ err: error }, `${this.#name} could not be applied`);
      }
    }
  }

  /** @returns what has become of it; null: the daemon is stopping. @throws SettingError, ConfigFileError, StoreError */
  async #declare(reading: Reading): Promise<string | null> {
    const { registry, publisher, ec2, onLocal } = this.#parts;
    const settings = this.#settings;
    const configuration = this.#again(() => {
      if (reading instanceof Error) throw reading;
      return reading;
    });
    this.#warnOfSettings(configuration.settings);
    const { content: given, yaml } = configuration;
    const { content, options } = await prepareContent({ settings, content: given, yaml }, ec2);
    if (this.#isClosed) return null;
    const things = await declare(registry, content, yaml, options);
    const local = localOptionsOf(settings, content);
    await publisher.setLocalNames(compileLocalNames(local));
    onLocal(local);
    const outside = tallyRecords(this.#applied, given);
    this.#applied = { records: given.records, ec2Instances: given.ec2Instances };
    return describeTallies(things, outside);
  }

  /** Before the content is held against those in force, which may refuse what the new ones would not. */
  #warnOfSettings(next: Settings): void {
    const keys = changedSettings(this.#settings, next);
    const waiting = JSON.stringify(keys.map((key) => [key, next[key]]));
    if (keys.length > 0 && waiting !== this.#waiting) {
      this.#parts.log.warn(
        `${this.#name}: ${keys.join(', ')} will be what the file says with the next start, not before`,
      );
    }
    this.#waiting = waiting;
  }
}
