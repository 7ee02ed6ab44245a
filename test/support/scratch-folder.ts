/** Where tests keep what they throw away. */
import { mkdtemp, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MEMORY = '/dev/shm';
const MEMORY_NEEDED_BYTES = 2_000_000_000;

/** The folder above: in memory where there is enough of it, for a database is some 300 files (15 ms there, 200 on a disk). */
export async function scratchParent(): Promise<string> {
  const memory = await statfs(MEMORY).catch(() => undefined);
  return memory !== undefined && memory.bavail * memory.bsize > MEMORY_NEEDED_BYTES ? MEMORY : tmpdir();
}

/** A new folder whose name begins with `prefix`; the caller removes it. */
export async function scratchFolder(prefix: string): Promise<string> {
  return mkdtemp(join(await scratchParent(), prefix));
}
