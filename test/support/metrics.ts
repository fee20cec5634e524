/** What `/metrics` says, as numbers. */
import { expect } from 'vitest';

export interface Metrics {
  readonly text: string;
  /** By metric, as its `# TYPE` line says. */
  readonly types: ReadonlyMap<string, string>;
  /** The sum of all samples of that name with these labels, whatever others they have; 0: there are none. */
  value(name: string, labels?: Readonly<Record<string, string>>): number;
  /** Label sets of all samples of that name. */
  labels(name: string): Readonly<Record<string, string>>[];
}

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export async function scrape(endpoint: string): Promise<Metrics> {
  const response = await fetch(`${endpoint}/metrics`);
  expect({ status: response.status, type: response.headers.get('content-type') }).toEqual({
    status: 200,
    type: 'text/plain; version=0.0.4; charset=utf-8',
  });
  return readMetrics(await response.text());
}

/** @throws Error on a line that is none of the format's */
export function readMetrics(text: string): Metrics {
  const samples: Sample[] = [];
  const types = new Map<string, string>();
  for (const line of text.split('\n')) {
    const type = /^# TYPE (\S+) (\S+)$/.exec(line);
    if (type !== null) types.set(type[1] as string, type[2] as string);
    if (line === '' || line.startsWith('#')) continue;
    const match = /^([a-z_0-9]+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (match === null) throw new Error(`no sample: ${line}`);
    const [, name, labels = '', value] = match as unknown as [string, string, string | undefined, string];
    const pairs = [...labels.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, text]) => [key, text]);
    samples.push({ name, labels: Object.fromEntries(pairs), value: Number(value) });
  }
  return {
    text,
    types,
    value: (name, labels = {}) =>
      samples
        .filter((one) => one.name === name && Object.entries(labels).every(([key, value]) => one.labels[key] === value))
        .reduce((sum, { value }) => sum + value, 0),
    labels: (name) => samples.filter((one) => one.name === name).map((one) => one.labels),
  };
}
