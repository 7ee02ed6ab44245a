/** The key that seals secrets, where the operator gave none: generated once into the data directory. */
import { randomBytes } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from 'pg';
import { type MasterKeys, sealPrefix } from '../lib/crypto.ts';
import { AppError } from '../lib/errors.ts';
import { makeDataDirectory } from './data-directory.ts';

const KEY_BYTES = 32;

/** Reads the key of the data directory, or makes it (readable by its owner alone). For development. */
export async function loadMasterKey(directory: string): Promise<MasterKeys> {
  await makeDataDirectory(directory);
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

// What is sealed for good, all of it: a key that was taken away before everything was sealed anew is noticed here.
// Answers of mutations, which are kept for a day, are left out.
const ANY_OTHER = `
  SELECT FROM (
    SELECT sealed_private AS sealed FROM signing_keys
    UNION ALL SELECT sealed FROM webhook_secrets
    UNION ALL SELECT sealed_headers FROM webhook_subscriptions WHERE sealed_headers IS NOT NULL
    UNION ALL SELECT sealed_secret FROM second_factors) AS kept
  WHERE substring(sealed FROM 1 FOR 4) <> ALL ($1) LIMIT 1`;

/**
 * Throws `CONFLICT` when what the database holds was sealed under another key than these. To be asked before anything
 * is derived from them: a server with a wrong key would lock out those that run with the right one.
 */
export async function checkMasterKeys(owner: Pick<Client, 'query'>, keys: MasterKeys): Promise<void> {
  const { rowCount } = await owner.query(ANY_OTHER, [keys.map(sealPrefix)]);
  if (rowCount === 0) return;
  throw new AppError(
    'CONFLICT',
    'The master key does not open what this database holds. Set MASTER_KEY to the key that it was started with before (without MASTER_KEY that is the one in DATA_DIR/master-key); to change it, give the new key first and the old one after a comma.',
  );
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
