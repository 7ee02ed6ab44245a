/** docs/oauth-rules.md names a test for each rule of the authorization server; each of them is there, under that title. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const ROOT = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8');

const rows = read('docs/oauth-rules.md')
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .filter(([, number = '']) => /^\d+$/.test(number));

test('Each of the sixty rules has a test', () => {
  const numbers = new Set(rows.map(([, number]) => Number(number)));
  expect([...numbers].toSorted((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, index) => index + 1));
});

test.for(rows.map(([, number = '', what = '', file = '', title = '']) => ({ number, what, file, title })))(
  'rule $number: $what: $title',
  ({ file, title }) => {
    const source = read(file.replaceAll('`', ''));
    const written = ["'", '"', '`'].map((quote) => `${quote}${title}${quote},`);
    expect(
      written.some((text) => source.includes(text)),
      `There is no test "${title}" in ${file}.`,
    ).toBe(true);
  },
);
