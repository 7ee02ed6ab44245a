import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { makeDataDirectory } from '../../src/platform/data-directory.ts';

async function scratch(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'optio-data-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

describe('The data directory', () => {
  it('is made with the folders above it, by several at once, and may be there already', async () => {
    const path = join(await scratch(), 'a/b/c');
    await Promise.all([makeDataDirectory(path), makeDataDirectory(path), makeDataDirectory(path)]);
    expect((await stat(path)).isDirectory()).toBe(true);
  });

  it.each([
    ['in a file system that has no folders but its own', async () => '/proc/optio/data'],
    [
      'below a file',
      async () => {
        const file = join(await scratch(), 'file');
        await writeFile(file, '');
        return join(file, 'data');
      },
    ],
    [
      'that is a file',
      async () => {
        const file = join(await scratch(), 'file');
        await writeFile(file, '');
        return file;
      },
    ],
  ])('%s is refused at once, by name', async (_, place) => {
    const path = await place();
    await expect(makeDataDirectory(path)).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining(`The data directory ${path} cannot be used`),
    });
  });
});
