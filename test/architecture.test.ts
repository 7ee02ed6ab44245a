import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/**
 * The floors of the house, lowest first. A file may import its own folder and the floors below. Those that share a
 * floor do not meet, but for accounts and audit, which do not go without each other.
 */
const FLOORS = [
  ['lib'],
  ['platform'],
  ['accounts', 'audit'],
  ['events'],
  ['learning', 'webhooks', 'oauth', 'lti'],
  ['graphql', 'rest', 'demo'],
] as const satisfies readonly (readonly string[])[];
const FOLDERS: readonly string[] = FLOORS.flat();
/** Programs of their own, which know the server by its protocols. */
const PROGRAMS: readonly string[] = ['admin', 'cli'];
const APP = 'the composition root';
const MAX_LINES = 300;

const TYPE_IMPORT = /\b(?:import|export)\s+type\s+[^;]*?\s+from\s+'[^']+'/g;

/** Every source file, by its path from the root; what is generated is left out. */
function read(folder: string): ReadonlyMap<string, string> {
  const paths = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .map((path) => join(folder, path))
    .filter((path) => /\.tsx?$/.test(path) && !path.includes('/generated/'));
  return new Map(paths.map((path) => [path, readFileSync(join(ROOT, path), 'utf8')]));
}

const sources = read('src');
const files = [...sources].map(([path, text]) => ({
  path,
  code: withoutComments(text),
  folder: folderOf(path),
}));

/** Which folder of src a file lies in; the files beside them make up the composition root. */
function folderOf(path: string): string {
  const [, folder = '', ...rest] = path.split('/');
  return rest.length === 0 ? APP : folder;
}

/** Where a text says `//` or `/*`, it is cut as well; no import and nothing that is looked for here stands behind one. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '');
}

/** What a file imports, `import type` and `import()` included. */
function importsOf(code: string): readonly string[] {
  return [...code.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*['"]([^'"]+)['"]/g)].map(([, name = '']) => name);
}

/** The files of src that a file imports. */
function neighbours({ path, code }: { readonly path: string; readonly code: string }): readonly string[] {
  return importsOf(code)
    .filter((name) => name.startsWith('.'))
    .map((name) => relative(ROOT, normalize(join(ROOT, dirname(path), name))));
}

function mayImport(from: string, to: string): boolean {
  if (from === to || from === APP) return true;
  if (to === 'generated') return from !== 'lib';
  if (PROGRAMS.includes(from)) return from === 'cli' && to === 'lib';
  const [floor, other] = [from, to].map((name) =>
    FLOORS.findIndex((names) => [...names].map(String).includes(name)),
  );
  if (floor === undefined || other === undefined || other < 0) return false;
  return other < floor || (other === floor && from !== to && ['accounts', 'audit'].includes(from));
}

describe('the floors', () => {
  it('are all there is: a new folder of src is put on one of them', () => {
    const known = [...FOLDERS, ...PROGRAMS, 'generated', APP];
    expect(files.map(({ folder }) => folder).filter((folder) => !known.includes(folder))).toEqual([]);
  });

  it('are only ever imported from above; siblings and doors do not meet', () => {
    const wrong = files.flatMap((file) =>
      neighbours(file)
        .filter((other) => other.startsWith('src/') && !mayImport(file.folder, folderOf(other)))
        .map((other) => `${file.path} imports ${other}`),
    );
    expect(wrong).toEqual([]);
  });

  it('are left by nobody: src imports nothing of the tests', () => {
    const out = files.flatMap((file) => neighbours(file).filter((other) => !other.startsWith('src/')));
    expect(out.filter((other) => !/^(package\.json|verify\/index\.js)$/.test(other))).toEqual([]);
  });

  it('have no stairs in a circle: types, which are gone when it runs, may name each other', () => {
    const graph = new Map(
      files.map(({ path, code }) => [path, neighbours({ path, code: code.replace(TYPE_IMPORT, '') })]),
    );
    expect(findCycle(graph)).toBeUndefined();
  });
});

/** Walks depth first; a file that is met again on the way to it closes a circle. */
function findCycle(graph: ReadonlyMap<string, readonly string[]>): readonly string[] | undefined {
  const done = new Set<string>();
  const walk = (path: string, way: readonly string[]): readonly string[] | undefined => {
    if (way.includes(path)) return [...way.slice(way.indexOf(path)), path];
    if (done.has(path)) return undefined;
    for (const next of graph.get(path) ?? []) {
      const cycle = walk(next, [...way, path]);
      if (cycle !== undefined) return cycle;
    }
    done.add(path);
    return undefined;
  };
  for (const path of graph.keys()) {
    const cycle = walk(path, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

describe('a rule of the house', () => {
  const having = (pattern: RegExp, among = files) =>
    among.flatMap(({ path, code }) => (code.match(pattern) ?? []).map((found) => `${path}: ${found.trim()}`));
  const server = files.filter(({ folder }) => !PROGRAMS.includes(folder));

  it('the environment is read by config.ts alone; main.ts, keys.ts and operator.ts hand it over', () => {
    expect(having(/process\s*\.\s*env|\benv\b[^\n]*from 'node:process'/g, server)).toEqual([
      'src/keys.ts: process.env',
      'src/main.ts: process.env',
      'src/operator.ts: process.env',
    ]);
  });

  it('oslo is imported by lib/crypto.ts alone', () => {
    const importers = files.filter(({ code }) => importsOf(code).some((name) => /^oslo(\/|$)/.test(name)));
    expect(importers.map(({ path }) => path)).toEqual(['src/lib/crypto.ts']);
  });

  it('what calls the URLs of others is platform/outbound alone, behind its address guard (webhooks rule 31)', () => {
    const inside = server.filter(({ path }) => !path.startsWith('src/platform/outbound/'));
    // The listener has a parameter of that name, and its own reader of requests.
    const calls =
      /(?<![.\w])fetch\((?!request)|\bcreateRemoteJWKSet\b|from '(?:undici|node:https|node:http2|node:tls|node:dns[^']*)'|import \{[^}]*\b(?:request|get|Agent)\b[^}]*\} from 'node:http'|import \{[^}]*\bconnect\b[^}]*\} from 'node:net'/g;
    expect(having(calls, inside)).toEqual([]);
  });

  it('nothing is exported as default', () => {
    expect(having(/\bexport\s+default\b|\bas\s+default\b/g)).toEqual([]);
  });

  it('nothing is written to the console; the command line, whose voice it is, writes to its streams', () => {
    expect(having(/\bconsole\s*\.\s*\w+/g)).toEqual([]);
  });

  it('no file only hands on what others export', () => {
    const statement =
      /\b(?:export|import)\s+(?:type\s+)?(?:\*(?:\s+as\s+\w+)?|\{[^}]*\})\s+from\s+'[^']+';?/g;
    const barrels = files.filter(
      ({ code }) => code.trim() !== '' && code.replace(statement, '').trim() === '',
    );
    expect(barrels.map(({ path }) => path)).toEqual([]);
  });

  it(`no file has more than ${MAX_LINES} lines`, () => {
    const long = [...sources]
      .map(([path, text]) => [path, text.trimEnd().split('\n').length] as const)
      .filter(([, lines]) => lines > MAX_LINES);
    expect(long).toEqual([]);
  });
});

describe('the linter knows the same floors', () => {
  const Rules = z.object({
    overrides: z.array(
      z.object({
        files: z.array(z.string()),
        rules: z.object({
          'no-restricted-imports': z
            .tuple([z.literal('error'), z.object({ patterns: z.array(z.object({ regex: z.string() })) })])
            .optional(),
        }),
      }),
    ),
  });
  const { overrides } = Rules.parse(JSON.parse(readFileSync(join(ROOT, '.oxlintrc.json'), 'utf8')));

  it.each(FOLDERS)('for %s', (folder) => {
    const rule = overrides.find(({ files: [glob] }) => glob === `src/${folder}/**`)?.rules[
      'no-restricted-imports'
    ];
    const patterns = rule?.[1].patterns.map(({ regex }) => new RegExp(regex)) ?? [];
    const refuses = (name: string) => patterns.some((pattern) => pattern.test(name));
    for (const other of [...FOLDERS, ...PROGRAMS, 'generated']) {
      if (other === folder) continue;
      const expected = [other, !mayImport(folder, other)];
      expect([other, refuses(`../${other}/a.ts`)]).toEqual(expected);
      expect([other, refuses(`../../${other}/a/b.ts`)]).toEqual(expected);
    }
    expect(['../app.ts', '../../config.ts', 'oslo', 'oslo/crypto'].filter((name) => !refuses(name))).toEqual(
      [],
    );
    expect(['./a.ts', '../a.ts', 'zod', 'node:crypto', 'oslo-like'].filter(refuses)).toEqual([]);
  });
});
