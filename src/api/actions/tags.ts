/** Actions on tags (Cloud Map API: section "tags"). */
import { z } from 'zod';
import { MAX_TAGS_PER_REQUEST } from '../../registry/limits.ts';
import { requireTaggable, tagResource, untagResource } from '../../registry/tags.ts';
import { type Action, action } from '../action.ts';
import { resourceArn, tagKey, tagList, toTags } from '../shapes.ts';

export const tagActions: Readonly<Record<string, Action>> = {
  TagResource: action(z.object({ ResourceARN: resourceArn, Tags: tagList }), async (input, registry) => {
    const command = { arn: input.ResourceARN, tags: toTags(input.Tags) };
    await registry.submit((state, context) => tagResource(state, command, context));
    return {};
  }),

  UntagResource: action(
    z.object({ ResourceARN: resourceArn, TagKeys: z.array(tagKey).max(MAX_TAGS_PER_REQUEST) }),
    async (input, registry) => {
      const command = { arn: input.ResourceARN, keys: input.TagKeys };
      await registry.submit((state, context) => untagResource(state, command, context));
      return {};
    },
  ),

  ListTagsForResource: action(z.object({ ResourceARN: resourceArn }), (input, registry) => {
    const { value } = requireTaggable(registry.state, input.ResourceARN, registry);
    return { Tags: Object.entries(value.tags).map(([Key, Value]) => ({ Key, Value })) };
  }),
};
