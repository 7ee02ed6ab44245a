/** Tells one process from a later one that was given the same pid. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const BOOT_ID = '/proc/sys/kernel/random/boot_id';
// Positions after the program's name in /proc/<pid>/stat (proc_pid_stat(5), fields 3 and 22).
const STATE = 0;
const START_TIME = 19;

/**
 * Text that stays the same while the process lives and that no other process ever has;
 * undefined when no such process lives (one that is dead but not yet reaped does not).
 */
export function processIdentity(pid: number): string | undefined {
  if (process.platform !== 'linux') {
    return ps(pid, 'lstart=');
  }
  const stat = readIfPresent(`/proc/${pid}/stat`);
  // The program's name stands in brackets and may hold spaces and brackets itself.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields === undefined || fields[STATE] === 'Z' || fields[STATE] === 'X') {
    return undefined;
  }
  // Start times count from the boot, so they mean nothing after the next one.
  return `${readIfPresent(BOOT_ID)?.trim() ?? ''} ${fields[START_TIME]}`;
}

/** The command line of a living process, its arguments separated by spaces. */
export function processCommandLine(pid: number): string | undefined {
  if (process.platform !== 'linux') {
    return ps(pid, 'command=');
  }
  return readIfPresent(`/proc/${pid}/cmdline`)?.replaceAll('\0', ' ').trim();
}

function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // ENOENT: no such process; ESRCH: it ended while we read.
    return undefined;
  }
}

function ps(pid: number, column: string): string | undefined {
  try {
    return execFileSync('ps', ['-o', column, '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined;
  } catch {
    // ps exits 1 when no such process lives.
    return undefined;
  }
}
