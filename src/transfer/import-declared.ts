/** The declared form into the registry, in one decision: as a configuration file's content, but that nothing is removed. */
import { findEc2Addresses } from '../declared/ec2-addresses.ts';
import { DeclaredError, putDeclared } from '../declared/reconcile.ts';
import type { DeclaredContent } from '../declared/schema.ts';
import type { Context, Decision } from '../registry/decision.ts';
import { Draft } from '../registry/draft.ts';
import type { Instance, Namespace, Service } from '../registry/model.ts';
import type { Registry } from '../registry/registry.ts';
import type { State } from '../registry/state.ts';
import type { ImportOptions } from './import-options.ts';
import { ImportError, type ImportReport, type KeyPath } from './report.ts';
import { type Kind, membersChanged, Tally } from './tally.ts';

/** What goes with any registration: nobody who declares has said it. */
const UNNAMED = ['manager', 'registeredAt', 'createdAt', 'creatorRequestId', 'operationId', 'requestDigest', 'health'];

type Content = Pick<DeclaredContent, 'namespaces' | 'ec2Instances'>;

/** @throws ImportError, StoreError; then nothing is in */
export async function importDeclared(
  registry: Registry,
  content: Content,
  { dryRun, ec2 = null, onProgress }: ImportOptions,
): Promise<ImportReport> {
  onProgress?.({ phase: 'checking', done: 0, total: countRecords(content) });
  const ec2Instances = { ...registry.options.ec2Instances, ...content.ec2Instances };
  const errorAt = (path: KeyPath, problem: string): Error => new ImportError(path, problem);
  const completed = await findEc2Addresses({ ...content, ec2Instances }, { errorAt }, ec2);
  const decide = (state: State, context: Context): Decision<Tally> => decideImport(state, completed, context, dryRun);
  // Decided like the import itself, and thrown away: the state is as it was, and nobody has seen it.
  const tally = dryRun ? decide(registry.state, registry.context()).result : await registry.submit(decide);
  return tally.report(dryRun);
}

function countRecords({ namespaces }: Content): number {
  const services = namespaces.flatMap((namespace) => namespace.services);
  return services.reduce((sum, { instances }) => sum + instances.length, namespaces.length + services.length);
}

function decideImport(state: State, content: Content, context: Context, dryRun: boolean): Decision<Tally> {
  const draft = new Draft(state);
  const tally = new Tally();
  const add = <T extends Namespace | Service | Instance>(
    kind: Kind,
    before: T | undefined,
    after: T,
    ...names: string[]
  ) => {
    const outcome = before === undefined ? 'created' : before === after ? 'unchanged' : 'changed';
    // What a dry run makes gets another id when it is made.
    const id = dryRun && before === undefined && kind !== 'instance' ? null : after.id;
    const members = (): string[] => (before === undefined ? [] : membersChanged(before, after, UNNAMED));
    tally.add(kind, outcome, id, () => names.join('/'), members);
  };
  try {
    const options = { ...context.options, ec2Instances: content.ec2Instances };
    putDeclared(
      draft,
      content,
      { ...context, options },
      {
        namespace: (before, after) => add('namespace', before, after, after.name),
        service: (before, after, namespace) => add('service', before, after, namespace.name, after.name),
        instance: (before, after, service, namespace) =>
          add('instance', before, after, namespace.name, service.name, after.id),
      },
    );
    return { changes: draft.changes, result: tally };
  } catch (error) {
    if (error instanceof DeclaredError) throw new ImportError(error.path, error.message, null, { cause: error });
    throw error;
  } finally {
    draft.rollBack();
  }
}
