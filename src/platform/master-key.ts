/** The key that seals secrets, where the operator gave none: generated once into the data directory. */
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { MasterKeys } from '../lib/crypto.ts';
import { AppError } from '../lib/errors.ts';

const KEY_BYTES = 32;

/** Reads the key of the data directory, or makes it (readable by its owner alone). For development. */
export async function loadMasterKey(directory: string): Promise<MasterKeys> {
  await mkdir(directory, { recursive: true });
  const path = join(directory, 'master-key');
  await writeNew(path, `${randomBytes(KEY_BYTES).toString('base64')}\n`);
  const key = Buffer.from((await readFile(path, 'utf8')).trim(), 'base64');
  if (key.length !== KEY_BYTES) {
    throw new AppError(
      'CONFLICT',
      `${path} does not hold a master key: expected ${KEY_BYTES} bytes in base64.`,
    );
  }
  return [key];
}

/** Writes the file unless it exists; of two processes that start at once, one writes. */
async function writeNew(path: string, content: string): Promise<void> {
  const file = await open(path, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST') return undefined;
    throw error;
  });
  if (file === undefined) return;
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}
