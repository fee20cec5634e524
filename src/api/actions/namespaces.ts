/** Actions on namespaces (Cloud Map API: section "namespaces"). */
import { z } from 'zod';
import type { Namespace, NamespaceType } from '../../registry/model.ts';
import {
  createNamespace,
  deleteNamespace,
  NAMESPACE_NAMES,
  requireNamespace,
  updateNamespace,
} from '../../registry/namespaces.ts';
import type { Registry } from '../../registry/registry.ts';
import { type Action, action } from '../action.ts';
import { compileFilters, filterList, ownerFilter, textFilter } from '../filters.ts';
import { pageInput, pageOf } from '../page.ts';
import {
  description,
  idOrArn,
  namespaceShape,
  namespaceSummary,
  recordTtl,
  resourceId,
  tagList,
  toTags,
} from '../shapes.ts';

const createInput = (type: NamespaceType) => ({
  Name: z.string().regex(NAMESPACE_NAMES[type], `no name for a namespace of type ${type}`),
  CreatorRequestId: resourceId.optional(),
  Description: description.optional(),
  Tags: tagList.optional(),
});
const dnsProperties = z.object({ DnsProperties: z.object({ SOA: z.object({ TTL: recordTtl }) }) });

interface CreateInput {
  readonly Name: string;
  readonly CreatorRequestId?: string | undefined;
  readonly Description?: string | undefined;
  readonly Tags?: z.output<typeof tagList> | undefined;
  readonly Vpc?: string;
  readonly Properties?: z.output<typeof dnsProperties> | undefined;
}

async function create(type: NamespaceType, input: CreateInput, registry: Registry): Promise<object> {
  const command = {
    type,
    name: input.Name,
    description: input.Description ?? null,
    vpc: input.Vpc ?? null,
    soaTtlSeconds: input.Properties?.DnsProperties.SOA.TTL ?? null,
    tags: toTags(input.Tags),
    creatorRequestId: input.CreatorRequestId ?? null,
  };
  const { operationId } = await registry.submit((state, context) => createNamespace(state, command, context));
  return { OperationId: operationId };
}

const updateInput = { Id: idOrArn, UpdaterRequestId: resourceId.optional() };
const dnsNamespaceChange = z.object({ Description: description.optional(), Properties: dnsProperties.optional() });

interface UpdateInput {
  readonly Id: string;
  readonly UpdaterRequestId?: string | undefined;
  readonly Namespace: z.output<typeof dnsNamespaceChange>;
}

async function update(type: NamespaceType, input: UpdateInput, registry: Registry): Promise<object> {
  const command = {
    id: input.Id,
    type,
    description: input.Namespace.Description ?? null,
    soaTtlSeconds: input.Namespace.Properties?.DnsProperties.SOA.TTL ?? null,
    updaterRequestId: input.UpdaterRequestId ?? null,
  };
  const { operationId } = await registry.submit((state, context) => updateNamespace(state, command, context));
  return { OperationId: operationId };
}

export const namespaceActions: Readonly<Record<string, Action>> = {
  CreateHttpNamespace: action(z.object(createInput('HTTP')), (input, registry) => create('HTTP', input, registry)),

  CreatePrivateDnsNamespace: action(
    z.object({ ...createInput('DNS_PRIVATE'), Vpc: resourceId, Properties: dnsProperties.optional() }),
    (input, registry) => create('DNS_PRIVATE', input, registry),
  ),

  CreatePublicDnsNamespace: action(
    z.object({ ...createInput('DNS_PUBLIC'), Properties: dnsProperties.optional() }),
    (input, registry) => create('DNS_PUBLIC', input, registry),
  ),

  UpdateHttpNamespace: action(
    z.object({ ...updateInput, Namespace: z.object({ Description: description }) }),
    (input, registry) => update('HTTP', input, registry),
  ),

  UpdatePrivateDnsNamespace: action(z.object({ ...updateInput, Namespace: dnsNamespaceChange }), (input, registry) =>
    update('DNS_PRIVATE', input, registry),
  ),

  UpdatePublicDnsNamespace: action(z.object({ ...updateInput, Namespace: dnsNamespaceChange }), (input, registry) =>
    update('DNS_PUBLIC', input, registry),
  ),

  DeleteNamespace: action(z.object({ Id: idOrArn }), async ({ Id }, registry) => {
    const { operationId } = await registry.submit((state, context) => deleteNamespace(state, { id: Id }, context));
    return { OperationId: operationId };
  }),

  GetNamespace: action(z.object({ Id: idOrArn }), ({ Id }, registry) => ({
    Namespace: namespaceShape(requireNamespace(registry.state, registry, Id), registry),
  })),

  ListNamespaces: action(z.object({ Filters: filterList, ...pageInput }), (input, registry) => {
    const passes = compileFilters<Namespace>(input.Filters, {
      TYPE: textFilter(['EQ', 'BEGINS_WITH'], ({ type }) => type, ['HTTP', 'DNS_PUBLIC', 'DNS_PRIVATE']),
      NAME: textFilter(['EQ', 'BEGINS_WITH'], ({ name }) => name),
      HTTP_NAME: textFilter(['EQ', 'BEGINS_WITH'], ({ httpName }) => httpName),
      RESOURCE_OWNER: ownerFilter(),
    });
    const { items, ...next } = pageOf(
      registry.state.namespaces().filter(passes),
      ({ id }) => id,
      input,
      'ListNamespaces',
    );
    return { Namespaces: items.map((namespace) => namespaceSummary(namespace, registry)), ...next };
  }),
};
