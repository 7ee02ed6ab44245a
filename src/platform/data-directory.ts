/** The folder that a server keeps its own files in: the embedded database, generated keys. */
import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { AppError } from '../lib/errors.ts';

/** Makes the folder where it is missing. Throws `CONFLICT`, naming DATA_DIR, when it cannot be written to. */
export async function makeDataDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true });
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
