import { networkInterfaces } from 'node:os';
import { describe, expect, it } from 'vitest';
import type { Forwarding } from '../src/answers/thread-protocol.ts';
import { loadConfiguration } from '../src/config.ts';
import { forwardingOf, systemServers } from '../src/forwarding.ts';
import { isWildcard } from '../src/listener-addresses.ts';
import { LOCALLY_SERVED_ZONES } from '../src/resolver/rules.ts';

/** With these flags, and what is warned of on the way. */
function forwarding(flags: Readonly<Record<string, string>> = {}): { forwarding: Forwarding; warnings: string[] } {
  const { settings } = loadConfiguration({ dns: '127.0.0.1:1053', ...flags }, {});
  const warnings: string[] = [];
  return {
    forwarding: forwardingOf(settings, settings.dns, systemServers(settings), (line) => warnings.push(line)),
    warnings,
  };
}

/** Suffix -> what becomes of it: `ask 10.0.0.1#53`, `refuse`, `nxdomain`, `localhost`; the first of each. */
function table(rules: Forwarding['rules']): Record<string, string> {
  const entries = rules.map(({ suffix, action }) => [
    suffix,
    action.kind === 'ask'
      ? `ask ${action.upstreams.map(({ address, port }) => `${address}#${port}`).join(' ')}`
      : action.kind,
  ]);
  return Object.fromEntries(entries.reverse());
}

const own = Object.values(networkInterfaces()).flatMap((infos) => infos ?? []);

describe('forwardingOf', () => {
  it('is off where nothing says whom to ask', () => {
    expect(forwarding().forwarding).toMatchObject({ isOn: false, upstreams: null });
  });

  it.each<[string, Record<string, string>, boolean]>([
    ['upstreams', { upstreams: '10.0.0.1' }, true],
    ['a rule', { forward: 'consul=127.0.0.1:8600' }, false],
    ['upstreams of names of one label', { singleLabelUpstreams: '10.0.0.1' }, false],
  ])('is on by %s', (_, flags, forwardsAll) => {
    const { isOn, upstreams } = forwarding(flags).forwarding;
    expect([isOn, upstreams !== null]).toEqual([true, forwardsAll]);
  });

  it('has the special-use names by default (RFC 6761, 6762, 7686, 8375, 6303)', () => {
    const { rules, singleLabel } = forwarding({ upstreams: '10.0.0.1' }).forwarding;
    const zones = Object.fromEntries(LOCALLY_SERVED_ZONES.map((zone) => [zone, 'nxdomain']));
    const names = {
      local: 'nxdomain',
      invalid: 'nxdomain',
      test: 'nxdomain',
      onion: 'nxdomain',
      'home.arpa': 'nxdomain',
    };
    expect(table(rules)).toEqual({ localhost: 'localhost', ...names, ...zones });
    expect(singleLabel).toEqual({ kind: 'nxdomain' });
  });

  it('has those that are named instead, or none', () => {
    expect(forwarding({ upstreams: '10.0.0.1', specialUseNames: 'corp,localhost' }).forwarding).toMatchObject({
      rules: [
        { suffix: 'corp', action: { kind: 'nxdomain' } },
        { suffix: 'localhost', action: { kind: 'localhost' } },
      ],
      singleLabel: null,
    });
    expect(forwarding({ upstreams: '10.0.0.1', specialUseNames: 'none' }).forwarding).toMatchObject({
      rules: [],
      singleLabel: null,
    });
  });

  it('has rules in front of refusals, and both in front of special-use names', () => {
    const flags = {
      forward: 'test=10.0.0.1,a.test=10.0.0.2',
      refuse: 'a.test,local',
      specialUseNames: 'test,local,onion',
    };
    expect(table(forwarding(flags).forwarding.rules)).toEqual({
      test: 'ask 10.0.0.1#53',
      'a.test': 'ask 10.0.0.2#53',
      local: 'refuse',
      onion: 'nxdomain',
    });
  });

  it('asks upstreams of their own for names of one label', () => {
    const { singleLabel } = forwarding({ singleLabelUpstreams: '127.0.0.11' }).forwarding;
    expect(singleLabel).toEqual({ kind: 'ask', upstreams: [{ address: '127.0.0.11', port: 53 }] });
  });

  it('carries the sizes of the cache', () => {
    const flags = { upstreams: '10.0.0.1', cacheBytes: '123', cacheStaleSeconds: '4' };
    expect(forwarding(flags).forwarding).toMatchObject({ cacheBytes: 123, staleSeconds: 4 });
  });
});

describe('this daemon among the upstreams', () => {
  it.each<[string, Record<string, string>, string[]]>([
    ['by its address', { upstreams: '127.0.0.1:1053,10.0.0.1' }, ['10.0.0.1#53']],
    ['and not by another port', { upstreams: '127.0.0.1:1054,10.0.0.1' }, ['127.0.0.1#1054', '10.0.0.1#53']],
    ['nor by another address', { upstreams: '127.0.0.2:1053,10.0.0.1' }, ['127.0.0.2#1053', '10.0.0.1#53']],
    ['by a wildcard', { dns: '0.0.0.0:53', upstreams: '127.0.0.1,127.0.0.11' }, ['127.0.0.11#53']],
    ['and not by the wildcard of the other family', { dns: '[::]:53', upstreams: '127.0.0.1' }, ['127.0.0.1#53']],
  ])('is left out %s', (_, flags, expected) => {
    const { forwarding: made, warnings } = forwarding(flags);
    expect(made.upstreams?.map(({ address, port }) => `${address}#${port}`)).toEqual(expected);
    const wanted = (flags.upstreams as string).split(',').length;
    expect(warnings).toHaveLength(wanted - expected.length);
    for (const line of warnings) expect(line).toMatch(/^CLOUDMAPD_UPSTREAMS: .* is this daemon itself/);
  });

  it('is left out by each address of the machine where it listens on all', () => {
    for (const { address, family } of own.filter((info) => info.scopeid === undefined || info.scopeid === 0)) {
      const isIpv6 = family === 'IPv6';
      const flags = { dns: isIpv6 ? '[::]:53' : '0.0.0.0:53', upstreams: isIpv6 ? `[${address}]` : address };
      expect(forwarding(flags).forwarding, address).toMatchObject({ isOn: false, upstreams: null });
    }
  });

  it('is left out of rules too, which then ask nobody', () => {
    const { forwarding: made, warnings } = forwarding({ forward: 'a.x=127.0.0.1:1053 10.0.0.1,b.x=127.0.0.1:1053' });
    expect(table(made.rules)).toMatchObject({ 'a.x': 'ask 10.0.0.1#53', 'b.x': 'ask ' });
    expect(warnings.map((line) => line.split(':', 1)[0])).toEqual(['CLOUDMAPD_FORWARD', 'CLOUDMAPD_FORWARD']);
  });
});

describe('isWildcard', () => {
  it.each([
    ['0.0.0.0', true],
    ['::', true],
    ['127.0.0.1', false],
    ['::1', false],
  ])('%s: %s', (address, expected) => {
    expect(isWildcard(address)).toBe(expected);
  });
});
