import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfiguration, SETTING_KEYS, SettingError, settingFlags } from '../src/config.ts';
import { ConfigFileError } from '../src/declared/yaml.ts';
import { parseEndpoint } from '../src/setting-forms.ts';
import { makeFolder } from './support/daemon.ts';

let folder: ReturnType<typeof makeFolder>;
beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => folder.remove());

type Given = Readonly<Record<string, string | undefined>>;
const writeYaml = (text: string) => {
  const file = join(folder.path, 'shop.yaml');
  writeFileSync(file, text);
  return file;
};
const settings = (flags: Given = {}, env: Given = {}) => loadConfiguration(flags, env).settings;
const problem = (flags: Given, env: Given = {}): Error => {
  try {
    loadConfiguration(flags, env);
  } catch (error) {
    expect((error as Error).message).not.toContain('\n');
    return error as Error;
  }
  throw new Error('it was taken');
};
const envOf = (key: string) => `CLOUDMAPD_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
const flagOf = (key: string) => `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

describe('settings', () => {
  it('have the defaults of the contract', () => {
    expect(settings()).toEqual({
      http: [{ address: '127.0.0.1', port: 8053 }],
      dns: [{ address: '127.0.0.1', port: 1053 }],
      dnsSockets: 'auto',
      dnsThreads: 1,
      dataDir: './data',
      store: 'sqlite',
      region: 'us-east-1',
      accountId: '123456789012',
      upstreams: 'none',
      recursionClients: [
        '127.0.0.0/8',
        '10.0.0.0/8',
        '172.16.0.0/12',
        '192.168.0.0/16',
        '100.64.0.0/10',
        '169.254.0.0/16',
        '::1/128',
        'fc00::/7',
        'fe80::/10',
      ],
      forward: [],
      refuse: [],
      singleLabelUpstreams: 'none',
      specialUseNames: ['single-label', 'localhost', 'local', 'invalid', 'test', 'onion', 'home.arpa', 'rfc6303'],
      ownName: 'cloudmap',
      cacheBytes: 16_777_216,
      cacheStaleSeconds: 86_400,
      dnsFallback: 'last-healthy',
      seed: undefined,
      dnsMaxTtl: undefined,
      dnsPtr: false,
      soaTtl: 5,
      newInstance: 'healthy',
      healthIntervalMs: 2000,
      healthConnectTimeoutMs: 4000,
      healthResponseTimeoutMs: 2000,
      healthTcpTimeoutMs: 10_000,
      healthConcurrency: 1000,
      healthHold: false,
      customHealthDelayMs: 0,
      operationDelayMs: 0,
      quotaNamespaces: 50,
      quotaInstancesPerNamespace: 2000,
      quotaInstancesPerService: 1000,
      quotaCustomAttributes: 30,
      quotaServiceAttributes: 30,
      quotaTags: 50,
      quotaDiscoverInstances: 0,
      quotaDiscoverInstancesRevision: 0,
      allowPrivateHealthChecks: false,
      faults: false,
      ec2Endpoint: undefined,
      queryLog: 0,
      log: 'info',
    });
    expect(loadConfiguration({}, {})).toMatchObject({ yaml: null, content: { namespaces: [], ec2Instances: {} } });
  });

  /** Of each setting: text that it takes, in three forms that give different values. */
  const VALUES: Record<string, readonly [flag: string, env: string, file: string]> = {
    http: ['127.0.0.1:1', '127.0.0.1:2', '127.0.0.1:3'],
    dns: ['127.0.0.1:1', '127.0.0.1:2', '127.0.0.1:3'],
    dnsSockets: ['plain', 'auto', 'batched'],
    dnsThreads: ['2', '3', '64'],
    dataDir: ['/one', '/two', '/three'],
    store: ['memory', 'sqlite', 'memory'],
    region: ['one-1', 'two-2', 'three-3'],
    accountId: ['111111111111', '222222222222', '"333333333333"'],
    upstreams: ['10.0.0.1', 'system', '10.0.0.3:5353'],
    recursionClients: ['10.0.0.0/8', '10.2.0.0/16', '10.3.0.0/16'],
    forward: ['a.example=10.0.0.1', 'b.example=10.0.0.1 10.0.0.2:5353,c=[fd00::1]', '{ d.example: [10.0.0.3] }'],
    refuse: ['a.example', 'b.example,c.example', '[d.example]'],
    singleLabelUpstreams: ['10.0.0.1', 'system', '10.0.0.3:5353'],
    specialUseNames: ['local', 'none', '[single-label, test]'],
    ownName: ['one', 'two.example', 'none'],
    cacheBytes: ['0', '2', '3'],
    cacheStaleSeconds: ['0', '2', '3'],
    dnsFallback: ['all', 'last-healthy', 'all'],
    seed: ['0', '2', '4294967295'],
    dnsMaxTtl: ['1', '2', '3'],
    dnsPtr: ['true', 'false', 'true'],
    soaTtl: ['1', '2', '3'],
    newInstance: ['unhealthy', 'healthy', 'unhealthy'],
    healthIntervalMs: ['101', '102', '103'],
    healthConnectTimeoutMs: ['1', '2', '3'],
    healthResponseTimeoutMs: ['1', '2', '3'],
    healthTcpTimeoutMs: ['1', '2', '3'],
    healthConcurrency: ['1', '2', '3'],
    healthHold: ['true', 'false', 'true'],
    customHealthDelayMs: ['1', '2', '3'],
    operationDelayMs: ['1', '2', '3'],
    quotaNamespaces: ['0', '2', '3'],
    quotaInstancesPerNamespace: ['0', '2', '3'],
    quotaInstancesPerService: ['0', '2', '3'],
    quotaCustomAttributes: ['0', '2', '3'],
    quotaServiceAttributes: ['0', '2', '3'],
    quotaTags: ['0', '2', '3'],
    quotaDiscoverInstances: ['0', '2', '3'],
    quotaDiscoverInstancesRevision: ['0', '2', '3'],
    allowPrivateHealthChecks: ['true', 'false', 'true'],
    faults: ['true', 'false', 'true'],
    ec2Endpoint: ['http://127.0.0.1:4566', 'https://ec2.example', 'http://localhost:1'],
    queryLog: ['all', '1/10', 'off'],
    log: ['debug', 'warn', 'error'],
  };

  it.each(SETTING_KEYS)('take %s from flag over environment over file over default', (key) => {
    const [flag, env, inFile] = VALUES[key] as [string, string, string];
    const config = writeYaml(`${key}: ${inFile}\n`);
    const alone = {
      flag: settings({ [key]: flag })[key],
      env: settings({}, { [envOf(key)]: env })[key],
      file: settings({ config })[key],
    };
    expect(alone.env).not.toEqual(alone.flag);
    expect(alone.file).not.toEqual(alone.env);
    expect(settings({ config, [key]: flag }, { [envOf(key)]: env })[key]).toEqual(alone.flag);
    expect(settings({ config }, { [envOf(key)]: env })[key]).toEqual(alone.env);
    // An empty variable is an unset one.
    expect(settings({ config }, { [envOf(key)]: '' })[key]).toEqual(alone.file);
  });

  it('offer a flag for each, whose help names the variable', () => {
    const flags = settingFlags();
    expect(flags.map(({ key }) => key)).toEqual(SETTING_KEYS);
    for (const { key, flag, help } of flags) {
      expect(flag).toBe(flagOf(key));
      expect(help).toContain(envOf(key));
    }
  });
});

/** Values that a setting does not take, as flags and variables have them. */
const BAD: Record<string, readonly string[]> = {
  http: [
    '8053',
    ':8053',
    'localhost:8053',
    '127.0.0.1',
    '127.0.0.1:65536',
    '127.0.0.1:x',
    '::1:8053',
    '[::1]',
    '127.0.0.1:1,',
    ',',
    '[fe80::1%eth0]:1',
    '1.2.3:4',
    '127.0.0.1:-1',
  ],
  dnsThreads: ['0', '65', '1.5', '-1', 'auto'],
  dns: ['53', '0.0.0.0', '256.0.0.1:53', '[127.0.0.1', '[::g]:53'],
  store: ['redis', 'SQLite'],
  region: ['US East', 'eu west'],
  accountId: ['12345678901', '1234567890123', 'abcdefghijkl', '12345678901 '],
  upstreams: ['nobody', 'dns.example:53', '10.0.0.1:99999', '10.0.0.1,system', 'none,10.0.0.1'],
  recursionClients: ['10.0.0.0/33', 'fd00::/129', 'everyone', '10.0.0', '10.0.0.0/8,', 'fe80::1%eth0'],
  forward: [
    'a.example',
    'a.example=',
    '=x',
    '=10.0.0.1',
    'a.example=10.0.0.1, =10.0.0.2',
    '..=10.0.0.1',
    'a.example=10.0.0.1 nobody',
    'a..b=10.0.0.1',
    'a.example=dns.example',
  ],
  refuse: ['a..b', '..', 'a.example,', 'x'.repeat(64)],
  singleLabelUpstreams: ['nobody', '10.0.0.1,system'],
  specialUseNames: ['a..b', '..', 'local,'],
  // With `data-` in front a label may have no more than 63 octets.
  ownName: ['two words', '-cloudmap', 'cloud_map', 'cloudmap.', 'a'.repeat(59), `x.${'a'.repeat(64)}`],
  cacheBytes: ['-1', '16M', '1.5', '2147483648'],
  cacheStaleSeconds: ['-1', '1d'],
  dnsFallback: ['none', 'ALL'],
  seed: ['-1', '4294967296', 'x'],
  dnsMaxTtl: ['-1', '1.5', 'x', '2147483648'],
  dnsPtr: ['yes', '1'],
  soaTtl: ['-1', '5s', '2147483648'],
  newInstance: ['HEALTHY', 'unknown'],
  healthConnectTimeoutMs: ['0', 'x'],
  healthResponseTimeoutMs: ['0', '-5'],
  healthTcpTimeoutMs: ['0', '2147483648'],
  healthConcurrency: ['0', 'all'],
  healthHold: ['on', '1'],
  healthIntervalMs: ['0', '-1', 'often', '1e3', '2147483648'],
  customHealthDelayMs: ['-1', '1.5'],
  operationDelayMs: ['-1', 'x'],
  quotaNamespaces: ['-1', '1.5', 'many'],
  quotaInstancesPerNamespace: ['-1', 'x'],
  quotaInstancesPerService: ['-1', 'x'],
  quotaCustomAttributes: ['-1', 'x'],
  quotaServiceAttributes: ['-1', '1.5'],
  quotaTags: ['-1', 'x'],
  quotaDiscoverInstances: ['-1', '0.5'],
  quotaDiscoverInstancesRevision: ['-1', 'x'],
  allowPrivateHealthChecks: ['yes', '1', 'TRUE'],
  faults: ['on', 'yes', '1'],
  ec2Endpoint: ['127.0.0.1:4566', 'ec2', 'ftp://ec2.example'],
  queryLog: ['on', 'ALL', '1/0', '2/3', '10', '1/', '1/01'],
  log: ['verbose', 'INFO'],
};

describe.each(Object.entries(BAD))('a bad value of %s', (key, values) => {
  it.each(values)('%j is refused, naming where it came from', (value) => {
    const byFlag = problem({ [key]: value });
    expect(byFlag).toBeInstanceOf(SettingError);
    expect(byFlag.message).toMatch(new RegExp(`^${flagOf(key)}: `));
    expect(byFlag.message).toContain(value);

    const byEnv = problem({}, { [envOf(key)]: value });
    expect(byEnv).toBeInstanceOf(SettingError);
    expect(byEnv.message).toMatch(new RegExp(`^${envOf(key)}: `));

    const config = writeYaml(`# settings\n${key}: ${JSON.stringify(value)}\n`);
    const byFile = problem({ config });
    expect(byFile).toBeInstanceOf(ConfigFileError);
    expect(byFile.message.startsWith(`${config}:2: ${key}: `)).toBe(true);
    // One that is overruled does no harm.
    expect(problem({ config, [key]: value }).message).toMatch(new RegExp(`^${flagOf(key)}: `));
  });
});

describe('store: etcd', () => {
  it('is refused for now, whoever asks for it', () => {
    expect(problem({ store: 'etcd' }).message).toMatch(/^--store: .*etcd/);
    expect(problem({}, { CLOUDMAPD_STORE: 'etcd' }).message).toMatch(/^CLOUDMAPD_STORE: .*etcd/);
    expect(problem({ config: writeYaml('store: etcd\n') }).message).toMatch(/:1: store: .*etcd/);
  });
});

describe('the file', () => {
  it('is named by the flag, or else by the environment', () => {
    const config = writeYaml('region: from-file\n');
    expect(settings({ config }).region).toBe('from-file');
    expect(settings({}, { CLOUDMAPD_CONFIG: config }).region).toBe('from-file');
    expect(settings({ config }, { CLOUDMAPD_CONFIG: '/not/there' }).region).toBe('from-file');
    expect(settings({}, { CLOUDMAPD_CONFIG: '' }).region).toBe('us-east-1');
  });

  it('that cannot be read is refused, naming who named it', () => {
    const missing = join(folder.path, 'missing.yaml');
    expect(problem({ config: missing }).message).toMatch(/^--config: .*missing\.yaml/);
    expect(problem({}, { CLOUDMAPD_CONFIG: missing }).message).toMatch(/^CLOUDMAPD_CONFIG: .*missing\.yaml/);
    expect(problem({ config: folder.path })).toBeInstanceOf(SettingError);
  });

  it.each([
    ['an unknown key', 'region: x-1\ncolour: red\n', ':2: colour: is not a known key'],
    ['a key that every object has', 'region: x-1\nconstructor: 1\n', ':2: constructor: is not a known key'],
    ['a name in another case', 'dataDir: /x\ndatadir: /x\n', ':2: datadir: is not a known key'],
    ['a list', '- region: x\n', ':1: '],
    ['text', 'region\n', ':1: '],
    ['broken YAML', 'region: x-1\nlog: [\n', ':'],
    ['a key twice', 'log: info\nlog: warn\n', ':2: '],
  ])('with %s is refused', (_, text, expected) => {
    const config = writeYaml(text);
    const error = problem({ config });
    expect(error).toBeInstanceOf(ConfigFileError);
    expect(error.message.startsWith(`${config}${expected}`)).toBe(true);
  });

  it('may be empty, and may leave values empty', () => {
    expect(settings({ config: writeYaml('') })).toEqual(settings());
    expect(settings({ config: writeYaml('# nothing\n') })).toEqual(settings());
    expect(settings({ config: writeYaml('region:\nlog:\n') })).toEqual(settings());
  });

  it('writes numbers and lists as YAML has them', () => {
    const config = writeYaml(
      [
        'http: [127.0.0.1:1, "[::1]:1"]',
        'recursionClients: [10.0.0.0/8]',
        'upstreams: [10.0.0.53]',
        'accountId: 012345678901',
        'soaTtl: 7',
        'quotaNamespaces: 0',
      ].join('\n'),
    );
    expect(settings({ config })).toMatchObject({
      http: [
        { address: '127.0.0.1', port: 1 },
        { address: '::1', port: 1 },
      ],
      recursionClients: ['10.0.0.0/8'],
      upstreams: [{ address: '10.0.0.53', port: 53 }],
      accountId: '012345678901',
      soaTtl: 7,
      quotaNamespaces: 0,
    });
  });

  it('brings its content along', () => {
    const config = writeYaml('region: x-1\nnamespaces: [{ name: a, type: HTTP }]\nec2Instances: { i-1: 10.0.0.1 }\n');
    const { content, yaml } = loadConfiguration({ config }, {});
    expect(yaml?.file).toBe(config);
    expect(content).toMatchObject({ namespaces: [{ name: 'a' }], ec2Instances: { 'i-1': '10.0.0.1' } });
  });
});

describe('lists and addresses', () => {
  it('are split at commas, with white space around', () => {
    expect(settings({ http: ' 127.0.0.1:1 , [::1]:2,0.0.0.0:0' }).http).toEqual([
      { address: '127.0.0.1', port: 1 },
      { address: '::1', port: 2 },
      { address: '0.0.0.0', port: 0 },
    ]);
    expect(settings({ recursionClients: '10.0.0.1, fd00::1 ,fd00::/8' }).recursionClients).toEqual([
      '10.0.0.1/32',
      'fd00::1/128',
      'fd00::/8',
    ]);
  });

  it.each([
    ['none', 'none'],
    ['system', 'system'],
    ['10.0.0.1', [{ address: '10.0.0.1', port: 53 }]],
    ['10.0.0.1:5353', [{ address: '10.0.0.1', port: 5353 }]],
    ['::1', [{ address: '::1', port: 53 }]],
    ['[::1]', [{ address: '::1', port: 53 }]],
    ['[2001:db8::53]:5353', [{ address: '2001:db8::53', port: 5353 }]],
    [
      '10.0.0.1,[fd00::1]:54',
      [
        { address: '10.0.0.1', port: 53 },
        { address: 'fd00::1', port: 54 },
      ],
    ],
  ])('of upstreams: %s', (text, expected) => {
    expect(settings({ upstreams: text }).upstreams).toEqual(expected);
  });

  it('of suffixes: "." is the root', () => {
    const { forward, refuse } = settings({ forward: '.=10.0.0.1,.Corp.example.=10.0.0.2', refuse: '.,ads.example' });
    expect(forward.map(({ suffix }) => suffix)).toEqual(['', 'corp.example']);
    expect(refuse).toEqual(['', 'ads.example']);
    expect(settings({ config: writeYaml('forward: { .: [10.0.0.1] }\n') }).forward).toMatchObject([{ suffix: '' }]);
    const error = problem({ config: writeYaml('forward: { "": [10.0.0.1] }\n') });
    expect(error.message).toContain(':1: forward: ');
    expect(error.message).toContain('"" is no suffix of names: "." is the one of all names');
  });

  it.each([
    ['[::]:53', { address: '::', port: 53 }],
    ['[::1]:0', { address: '::1', port: 0 }],
    ['[2001:DB8::1]:65535', { address: '2001:DB8::1', port: 65535 }],
    ['[::ffff:10.0.0.1]:53', { address: '::ffff:10.0.0.1', port: 53 }],
    ['::1', null],
    ['[::1]', null],
    ['[::1]53', null],
    ['[::1]:', null],
    ['[]:53', null],
    ['[fe80::1%1]:53', null],
    ['127.0.0.1:', null],
    ['', null],
  ])('with a port: %s', (text, expected) => {
    expect(parseEndpoint(text, null)).toEqual(expected);
  });
});
