import { existsSync, globSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { anchorsOf, readText } from './repository.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const files = ['README.md', 'CHANGELOG.md', ...globSync('docs/**/*.md', { cwd: ROOT })];

/** Links to files of the repository, by their path from the root, with the anchor if there is one. */
function linksOf(file: string): readonly { readonly path: string; readonly anchor: string | undefined }[] {
  return [...readText(file).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const [path = '', anchor] = target.split('#');
      return { path: path === '' ? file : join(dirname(file), path), anchor };
    });
}

describe('the documents', () => {
  it.each(files)('%s links to what is there', (file) => {
    const broken = linksOf(file).filter(
      ({ path, anchor }) =>
        !existsSync(join(ROOT, path)) || (anchor !== undefined && !anchorsOf(path).includes(anchor)),
    );
    expect(broken).toEqual([]);
  });
});
