/** The addresses of declared EC2 instances that the file's own map does not know. */
import { type Ec2Answer, ec2AnswerOfMap, unknownEc2Instance } from '../registry/attributes.ts';
import type { DeclaredContent } from './schema.ts';
import type { KeyPath } from './yaml.ts';

/**
 * @param ask null: no endpoint of EC2 is configured; reconciling says then which address is missing
 * @returns the content, its map completed
 * @throws what `source` makes, ConfigFileError for a file, where the endpoint does not know one
 */
export async function findEc2Addresses<Content extends Pick<DeclaredContent, 'namespaces' | 'ec2Instances'>>(
  content: Content,
  source: { errorAt(path: KeyPath, problem: string): Error },
  ask: ((id: string) => Promise<Ec2Answer>) | null,
): Promise<Content> {
  if (ask === null) return content;
  const ec2Instances = { ...content.ec2Instances };
  for (const [n, namespace] of content.namespaces.entries()) {
    for (const [s, service] of namespace.services.entries()) {
      for (const [i, { attributes }] of service.instances.entries()) {
        const id = attributes.AWS_EC2_INSTANCE_ID;
        if (id === undefined || id === '' || ec2AnswerOfMap(id, ec2Instances) !== null) continue;
        const answer = await ask(id);
        if ('address' in answer) {
          ec2Instances[id] = answer.address;
          continue;
        }
        const path = ['namespaces', n, 'services', s, 'instances', i, 'attributes', 'AWS_EC2_INSTANCE_ID'];
        throw source.errorAt(path, unknownEc2Instance(id, answer.problem));
      }
    }
  }
  return { ...content, ec2Instances };
}
