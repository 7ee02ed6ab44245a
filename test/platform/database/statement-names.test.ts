import { expect, it } from 'vitest';
import { createStatementNames } from '../../../src/platform/database/statement-names.ts';

it('gives each statement a name of its own, always the same, up to a bound on what connections keep', () => {
  const nameOf = createStatementNames('rows');
  const names = Array.from({ length: 300 }, (_, index) => nameOf(`SELECT ${index}`));
  expect(names.slice(0, 2)).toEqual(['rows_1', 'rows_2']);
  expect(names.slice(0, 200).every((name) => name !== undefined)).toBe(true);
  expect(new Set(names.slice(0, 200)).size).toBe(200);
  expect(names.slice(200)).toEqual(Array.from({ length: 100 }));
  expect(nameOf('SELECT 7')).toBe('rows_8');
});
