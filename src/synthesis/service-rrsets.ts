/** The RRsets at a service's own name: what its instances bring, chosen by health. */
import type { Choice, Rrset } from '../answers/answer-set.ts';
import { type AliasTarget, aliasNameOf, type Instance, type Namespace, type Service } from '../registry/model.ts';
import type { State } from '../registry/state.ts';
import { TYPE } from '../wire/header.ts';
import { choiceOfAlias, choicesOfRecords, withoutRepeats } from './choices.ts';
import type { CompileOptions } from './compile-options.ts';
import { selectEligible } from './eligible.ts';
import { fallbackNote } from './notes.ts';

export function serviceRrsets(state: State, namespace: Namespace, service: Service, options: CompileOptions): Rrset[] {
  const rrsets: Rrset[] = [];
  const instances = [...state.instancesOf(service.id).values()];
  const aliasTarget = (name: string): AliasTarget | undefined => state.aliasTarget(name);
  const policy = policyOf(service);
  for (const record of service.dns?.records ?? []) {
    const choiceOf = choicesOfRecords(namespace, service, record, options);
    const able: Instance[] = [];
    const candidates: Choice[] = [];
    for (const instance of instances) {
      const choice =
        aliasNameOf(instance) === null
          ? choiceOf(instance)
          : choiceOfAlias(instance, record.type, aliasTarget, options);
      if (choice === null) continue;
      able.push(instance);
      candidates.push(choice);
    }
    if (able.length === 0) continue;
    const eligible = selectEligible(service, able, options.fallback, aliasTarget);
    rrsets.push({
      type: TYPE[record.type],
      policy,
      choices: withoutRepeats(chosen(candidates, able, eligible.instances)),
      note: fallbackNote(able.length, eligible, policy === 'weighted'),
    });
  }
  return rrsets;
}

export function policyOf({ dns }: Service): 'weighted' | 'multivalue' {
  return dns?.routingPolicy === 'WEIGHTED' ? 'weighted' : 'multivalue';
}

/** @param eligible some of `able`, in its order, whose choices are at the same places */
function chosen(choices: readonly Choice[], able: readonly Instance[], eligible: readonly Instance[]): Choice[] {
  let next = 0;
  return choices.filter((_choice, index) => {
    if (able[index] !== eligible[next]) return false;
    next++;
    return true;
  });
}
