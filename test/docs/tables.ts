/** The tables of docs/who-may.md, as the tests that hold them read them. */
import { readFileSync } from 'node:fs';

export type OperationRow = {
  readonly operation: string;
  /** `ADMIN` and the like, `platform admin`, `any`, `anyone`. */
  readonly roles: readonly string[];
  /** A scope, `none` (no token may), `any`, `anyone`. */
  readonly scope: string;
  /** `Type.field`. */
  readonly fields: readonly string[];
  /** `METHOD /path/{parameter}`. */
  readonly routes: readonly string[];
};

export type GuardRow = { readonly guard: string; readonly routes: readonly string[] };

const text = readFileSync(new URL('../../docs/who-may.md', import.meta.url), 'utf8');

/** Each operation with who may. */
export const OPERATIONS: readonly OperationRow[] = rowsAfter('## Operations').map(
  ([operation = '', roles = '', scope = '', fields = '', routes = '']) => ({
    operation,
    roles: roles.split(', '),
    scope,
    fields: quoted(fields),
    routes: quoted(routes),
  }),
);

/** Each guard with its URLs. */
export const GUARDS: readonly GuardRow[] = rowsAfter('## URLs').map(([guard = '', , routes = '']) => ({
  guard,
  routes: quoted(routes),
}));

function rowsAfter(heading: string): readonly (readonly string[])[] {
  const [section = ''] = (text.split(`${heading}\n`)[1] ?? '').split('\n## ');
  const lines = section.split('\n').filter((line) => line.startsWith('| '));
  return lines.slice(1).map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
}

function quoted(cell: string): readonly string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
}
