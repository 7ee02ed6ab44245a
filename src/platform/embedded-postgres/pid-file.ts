/** postmaster.pid, in which a running PostgreSQL tells who and where it is, and which a killed one leaves behind. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { processCommandLine, processIdentity } from './process-identity.ts';

// Above the highest pid that Linux (2^22) and macOS (99998) give.
const NOBODY = '99999999';

export type PidFile = {
  readonly pid: number;
  readonly port: number;
  readonly isReady: boolean;
  /** Whether the process lives and is a PostgreSQL on this folder, not a later one with the same pid. */
  readonly isAlive: boolean;
};

/** What `data` tells; undefined when no PostgreSQL runs there and none was killed. */
export async function readPidFile(data: string): Promise<PidFile | undefined> {
  const text = await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '');
  // Line by line as PostgreSQL writes them: pid, data folder, start time, port, sockets, addresses, memory, state.
  const [pid = '', recordedData, , port, , , , state] = text.split('\n');
  if (!/^\d+$/.test(pid) || recordedData === undefined) {
    return undefined;
  }
  return {
    pid: Number(pid),
    port: Number(port),
    isReady: state?.trim() === 'ready',
    isAlive: isPostgres(Number(pid), recordedData),
  };
}

/**
 * Takes the pid of a dead PostgreSQL out of the file. While a process has that pid, be it another program's or
 * the dead one itself that nobody has reaped, PostgreSQL refuses to start. The file stays: by its further lines
 * PostgreSQL finds out whether processes of the dead one still use the folder.
 */
export async function disarmPidFile(data: string): Promise<void> {
  const recorded = await readPidFile(data);
  if (recorded === undefined || recorded.isAlive) {
    return;
  }
  const path = join(data, 'postmaster.pid');
  const [, ...rest] = (await readFile(path, 'utf8')).split('\n');
  await writeFile(path, [NOBODY, ...rest].join('\n'));
}

function isPostgres(pid: number, data: string): boolean {
  const commandLine = processIdentity(pid) === undefined ? undefined : processCommandLine(pid);
  return commandLine?.includes('postgres') === true && commandLine.includes(data);
}
