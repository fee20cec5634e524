/** `GET /admin/dns`: how DNS is answered here and whom the daemon asks, for `cloudmapd doctor`. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';

/** What an upstream said when it was asked for something. */
export type UpstreamTrial =
  | { readonly rcode: string; readonly ms: number }
  /** In a few words. */
  | { readonly problem: string };

export interface UpstreamReport {
  /** The environment's name of the setting that has it. */
  readonly setting: string;
  /** What it is asked: all names that no rule names, those of one label, or those below a suffix. */
  readonly names: 'all' | 'single-label' | { readonly suffix: string };
  /** Such as `10.0.0.1:53`. */
  readonly address: string;
  /** `itself`: it is one of the daemon's own listeners; `loops`: it leads back to the daemon. Neither is asked. */
  readonly state: 'asked' | 'itself' | 'loops';
  /** Where trials were asked for, of one that is asked. */
  readonly udp?: UpstreamTrial;
  readonly tcp?: UpstreamTrial;
}

export interface DnsReport {
  /** Bound addresses, such as `127.0.0.1:1053`. */
  readonly listeners: readonly string[];
  /** Wildcards that the machine has no IPv6 for. */
  readonly skipped: readonly string[];
  readonly sockets: 'batched' | 'plain';
  /** So many answer now. */
  readonly threads: number;
  /** Names of the namespaces that are in DNS. */
  readonly zones: readonly string[];
  /** CLOUDMAPD_OWN_NAME. */
  readonly ownName: string | null;
  /** CLOUDMAPD_UPSTREAMS as it was given. */
  readonly forwards: 'none' | 'system' | 'listed';
  readonly upstreams: readonly UpstreamReport[];
}

const query = z.strictObject({ trial: z.enum(['true', 'false']).default('false') });

/** `?trial=true`: each upstream is asked, which takes up to two seconds. */
export function registerDns(app: FastifyInstance, report: (hasTrials: boolean) => Promise<DnsReport>): void {
  app.get('/admin/dns', async (request, reply) => {
    const wanted = query.safeParse(request.query);
    if (wanted.success) return report(wanted.data.trial === 'true');
    const issue = wanted.error.issues[0];
    return reply.code(400).send({ error: `${issue?.path.join('.') || 'the query'}: ${issue?.message}` });
  });
}
