/** Metrics as Prometheus reads them: its text form, parsed, and the conventions that promtool would hold it to. */

export type Family = {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: readonly Sample[];
};

export type Sample = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
};

/** Parses the text form. Throws on a line that is none of it. */
export function parseMetrics(text: string): readonly Family[] {
  const families: { name: string; type: string; help: string; samples: Sample[] }[] = [];
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) ?(.*)$/.exec(line) ?? [];
    const family = families.at(-1);
    if (keyword === 'HELP') families.push({ name, help: rest, type: '', samples: [] });
    else if (keyword === 'TYPE' && family?.name === name) family.type = rest;
    else if (keyword === undefined && family !== undefined) family.samples.push(parseSample(line));
    else throw new Error(`This is not in its place: ${line}`);
  }
  return families;
}

/** What a scrape of the server answers. */
export async function scrape(url: string): Promise<readonly Family[]> {
  const response = await fetch(`${url}/metrics`);
  if (response.status !== 200) throw new Error(`/metrics answered ${response.status}.`);
  return parseMetrics(await response.text());
}

/** The sum of all series that have these labels; undefined when there is none. */
export function valueOf(
  families: readonly Family[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  const found = families
    .flatMap(({ samples }) => samples)
    .filter((sample) => sample.name === name)
    .filter((sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value));
  return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0);
}

const BASE_UNIT = /_(seconds|bytes|ratio|info|total)$/;
// By prom-client, and known under these names.
const MISNAMED = /^nodejs_active_/;
const OTHER_UNIT = /_(milliseconds|ms|minutes|hours|percent|kilobytes|megabytes|kb|mb)(_|$)/;

/** What promtool check metrics would complain of (https://prometheus.io/docs/practices/naming/). */
export function lintMetrics(families: readonly Family[]): readonly string[] {
  const names = families.map(({ name }) => name);
  return [
    ...names.filter((name, index) => names.indexOf(name) !== index).map((name) => `${name} is there twice`),
    ...families.flatMap((family) => lintFamily(family).map((fault) => `${family.name} ${fault}`)),
  ];
}

function lintFamily({ name, type, help, samples }: Family): readonly string[] {
  const series = samples.map((sample) => `${sample.name} ${JSON.stringify(sample.labels)}`);
  return [
    [!/^[a-z][a-z0-9_]*$/.test(name), 'is not in snake_case'],
    [help === '', 'has no help text'],
    [!['counter', 'gauge', 'histogram', 'summary'].includes(type), `has the type ${type}`],
    [
      (type === 'counter') !== name.endsWith('_total') && !MISNAMED.test(name),
      'ends with _total exactly if it is a counter',
    ],
    [OTHER_UNIT.test(name), 'is not in base units'],
    [type === 'histogram' && !BASE_UNIT.test(name), 'is a histogram without a unit'],
    [new RegExp(`_${type}(_|$)`).test(name), 'has its type in its name'],
    [new Set(series).size !== series.length, 'has a series twice'],
    [
      samples.some(({ labels }) => Object.keys(labels).some((label) => !/^[a-z][a-z_]*$/.test(label))),
      'has a bad label',
    ],
  ].flatMap(([isWrong, fault]) => (isWrong === true ? [String(fault)] : []));
}

function parseSample(line: string): Sample {
  const match = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
  if (match === null) throw new Error(`This is no sample: ${line}`);
  const [, name = '', labels = '', value = ''] = match;
  const pairs = [...labels.matchAll(/([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"/g)];
  return {
    name,
    labels: Object.fromEntries(pairs.map(([, label = '', text = '']) => [label, text])),
    value: value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value),
  };
}
