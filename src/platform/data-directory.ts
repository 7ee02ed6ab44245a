/** The folder that a server keeps its own files in: the embedded database, generated keys. */
import { constants } from 'node:fs';
import { access, mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { AppError } from '../lib/errors.ts';

/** Makes the folder where it is missing. Throws `CONFLICT`, naming DATA_DIR, when it cannot be written to. */
export async function makeDataDirectory(directory: string): Promise<void> {
  try {
    await makeFolder(resolve(directory));
    await access(directory, constants.W_OK | constants.X_OK);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AppError(
      'CONFLICT',
      `The data directory ${directory} cannot be used: ${reason}. Set DATA_DIR to a folder that this user may write to.`,
      { cause },
    );
  }
}

/**
 * With the folders above it. Not by `recursive`, which never ends where a file system has no folders but its own, as /proc:
 * it takes the ENOENT for a missing parent, for ever.
 */
async function makeFolder(path: string): Promise<void> {
  if (await isFolder(path)) return;
  const parent = dirname(path);
  if (parent !== path) await makeFolder(parent);
  await mkdir(path).catch(async (error: unknown) => {
    // Somebody else made it at the same moment.
    if (!(await isFolder(path))) throw error;
  });
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
