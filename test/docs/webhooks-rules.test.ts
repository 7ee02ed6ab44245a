/** docs/webhooks-rules.md names a test for each rule of the webhooks; each of them is there, under that title. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const ROOT = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8');

const RULES = [...Array.from({ length: 41 }, (_, index) => `${index + 1}`), '12a'];

const lines = read('docs/webhooks-rules.md').split('\n');
const rows = lines
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .filter(([, rule = '']) => /^\d+a?$/.test(rule));
const open = lines.flatMap((line) => /^- (\d+a?)$/.exec(line)?.[1] ?? []);

test('Each of the 41 rules has a test, or stands among those that have none yet', () => {
  const held = new Set(rows.map(([, rule = '']) => rule));
  expect(open.filter((rule) => held.has(rule))).toEqual([]);
  expect([...held, ...open].toSorted()).toEqual(RULES.toSorted());
});

test.for(rows.map(([, rule = '', words = '', file = '', title = '']) => [rule, words, file, title] as const))(
  'rule %s: %s',
  ([, , file, title]) => {
    const source = read(file.replaceAll('`', ''));
    const written = ["'", '"', '`'].map((quote) => `${quote}${title}${quote},`);
    expect(
      written.some((text) => source.includes(text)),
      `There is no test "${title}" in ${file}.`,
    ).toBe(true);
  },
);
