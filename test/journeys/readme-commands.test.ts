/** The commands of the README's section, as they stand there, against the example that `npm start` serves. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { Api } from '../support/journey-api.ts';
import { runCommand, setUpJourney } from '../support/journey-tools.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const journey = setUpJourney();

it('the README shows commands that work one after the other', async () => {
  const readme = readFileSync(`${ROOT}README.md`, 'utf8');
  const block = /\n### Commands\n\n```sh\n([^`]+)```/.exec(readme)?.[1] as string;
  const { endpoint } = await journey.start({
    settings: { STORE: 'memory' },
    args: ['--config', `${ROOT}config/cloudmapd.example.yaml`],
  });
  const shell = `set -e; cloudmapd() { '${process.execPath}' '${ROOT}src/main.ts' "$@"; }\n${block}`;
  const ended = await runCommand('bash', ['-c', shell], { ...process.env, CLOUDMAPD_ENDPOINT: endpoint });
  expect(ended).toMatchObject({ code: 0, stderr: '' });
  const lines = ended.stdout.split('\n');
  for (const line of ['web-3 registered in demo.internal/web', 'demo.internal/web: 3 healthy instances']) {
    expect(lines).toContain(line);
  }
  const instances = JSON.parse(lines.find((line) => line.startsWith('{')) as string).instances;
  expect(instances).toMatchObject([{ id: 'web-1' }, { id: 'web-2' }, { id: 'web-3', health: 'UNHEALTHY' }]);
  expect((await new Api(endpoint).discover('demo.internal', 'web')).ids).toEqual(['web-1', 'web-2']);
});
