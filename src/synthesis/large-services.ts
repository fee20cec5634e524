/**
 * Services with so many instances that compiling all of them for a change of one would show. Their choices are
 * numbered here as the answering threads have them in their tables, so that such a change puts or drops one choice.
 *
 * Numbers stand while what is answered are the healthy instances, whichever they are. A service of which no instance is
 * healthy, or with an alias, is compiled whole; so is one whose change makes an RRset begin or end.
 */
import { encodeChoice, type Rrset } from '../answers/answer-set.ts';
import type { DeltaWriter } from '../answers/delta.ts';
import { aliasNameOf, type Instance, type Namespace, type Service } from '../registry/model.ts';
import { absoluteName, ownerOfService } from '../registry/owner-names.ts';
import type { State } from '../registry/state.ts';
import { TYPE } from '../wire/header.ts';
import { toWireName } from '../wire/names.ts';
import { choicesOfRecords, textOf } from './choices.ts';
import type { CompileOptions } from './compile-options.ts';
import { isHealthy } from './eligible.ts';
import { policyOf } from './service-rrsets.ts';

/** From so many instances on. Compiling fewer takes tens of microseconds, a small part of what a call takes. */
const LARGE_FROM = 32;

/** The choices of one RRset, each once, encoded. */
class NumberedChoices {
  readonly #choices: string[] = [];
  readonly #numbers = new Map<string, number>();
  /** How many more instances bring the same choice, where there are any: an RRset has no record twice. */
  readonly #repeats = new Map<string, number>();

  get count(): number {
    return this.#choices.length;
  }

  encoded(): Uint8Array[] {
    return this.#choices.map(bytesOf);
  }

  /** @returns its number, or null where the RRset has it already */
  add(choice: string): number | null {
    if (this.#numbers.has(choice)) {
      this.#repeats.set(choice, (this.#repeats.get(choice) ?? 0) + 1);
      return null;
    }
    const number = this.#choices.push(choice) - 1;
    this.#numbers.set(choice, number);
    return number;
  }

  /**
   * The last choice gets the number that is free.
   * @returns that number, or null where another instance brings it too; undefined: there is no such choice
   */
  remove(choice: string): number | null | undefined {
    const repeats = this.#repeats.get(choice) ?? 0;
    if (repeats > 0) {
      if (repeats === 1) this.#repeats.delete(choice);
      else this.#repeats.set(choice, repeats - 1);
      return null;
    }
    const number = this.#numbers.get(choice);
    if (number === undefined) return undefined;
    const last = this.#choices.pop() as string;
    if (last !== choice) {
      this.#choices[number] = last;
      this.#numbers.set(last, number);
    }
    this.#numbers.delete(choice);
    return number;
  }
}

export class LargeServices {
  readonly #state: State;
  readonly #options: CompileOptions;
  /** By service id: the choices of each of its records, in their order. */
  readonly #numbered = new Map<string, readonly NumberedChoices[]>();

  constructor(state: State, options: CompileOptions) {
    this.#state = state;
    this.#options = options;
  }

  /** The service's RRsets as the threads have them, or null: its choices have no numbers. */
  rrsetsOf(service: Service): Rrset[] | null {
    const numbered = this.#numbered.get(service.id);
    if (numbered === undefined) return null;
    const policy = policyOf(service);
    return (service.dns?.records ?? []).flatMap(({ type }, index) => {
      const choices = numbered[index] as NumberedChoices;
      return choices.count === 0 ? [] : [{ type: TYPE[type], policy, choices: choices.encoded(), isTabled: true }];
    });
  }

  /** Numbers the choices of a service that is large, where they can be. */
  number(namespace: Namespace, service: Service): void {
    if (this.#numbered.has(service.id)) return;
    const instances = this.#state.instancesOf(service.id);
    if (service.dns === null || instances.size < LARGE_FROM) return;
    const records = service.dns.records.map((record) => ({
      choiceOf: choicesOfRecords(namespace, service, record, this.#options),
      choices: new NumberedChoices(),
      hasUnhealthy: false,
    }));
    for (const instance of instances.values()) {
      if (aliasNameOf(instance) !== null) return;
      for (const record of records) {
        const choice = record.choiceOf(instance);
        if (choice === null) continue;
        if (isHealthy(service, instance)) record.choices.add(textOf(encodeChoice(choice)));
        else record.hasUnhealthy = true;
      }
    }
    if (records.some(({ choices, hasUnhealthy }) => choices.count === 0 && hasUnhealthy)) return;
    this.#numbered.set(
      service.id,
      records.map(({ choices }) => choices),
    );
  }

  forget(serviceId: string): void {
    this.#numbered.delete(serviceId);
  }

  /**
   * Brings the change of one instance into the numbers and the delta.
   * @returns false where the service has to be compiled whole, in which case nothing of it is numbered any more
   */
  update(
    delta: DeltaWriter,
    namespace: Namespace,
    service: Service,
    before: Instance | null,
    after: Instance | null,
  ): boolean {
    const numbered = this.#numbered.get(service.id);
    if (numbered === undefined) return false;
    const isDone =
      this.#state.instancesOf(service.id).size >= LARGE_FROM / 2 &&
      (service.dns?.records ?? []).every((record, index) => {
        const { type } = record;
        const choices = numbered[index] as NumberedChoices;
        const choiceOf = choicesOfRecords(namespace, service, record, this.#options);
        const textIn = (instance: Instance | null): string | null => {
          const choice = instance === null || !isHealthy(service, instance) ? null : choiceOf(instance);
          return choice === null ? null : textOf(encodeChoice(choice));
        };
        if (after !== null && aliasNameOf(after) !== null) return false;
        // The first that has a record of the type, healthy or not.
        if (choices.count === 0) return after === null || choiceOf(after) === null;
        const [was, is] = [textIn(before), textIn(after)];
        if (was === is) return true;
        const apex = toWireName(namespace.name);
        const owner = toWireName(absoluteName(ownerOfService(service) as string, namespace));
        const removed = was === null ? null : choices.remove(was);
        if (removed === undefined) return false;
        if (removed !== null) delta.dropChoice(apex, owner, TYPE[type], removed);
        const added = is === null ? null : choices.add(is);
        if (added !== null) delta.putChoice(apex, owner, TYPE[type], added, bytesOf(is as string));
        return choices.count > 0;
      });
    if (!isDone) this.forget(service.id);
    return isDone;
  }
}

function bytesOf(choice: string): Uint8Array {
  return Buffer.from(choice, 'latin1');
}
