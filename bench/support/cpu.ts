/** How much processor time processes have used, from /proc; elsewhere than on Linux nothing is known. */
import { readdirSync, readFileSync } from 'node:fs';

// Fields after the program's name (proc_pid_stat(5)): 4 ppid, 14 utime, 15 stime, 16 cutime, 17 cstime.
const PARENT = 1;
const TIMES = [11, 12] as const;
const CHILDREN_TIMES = [13, 14] as const;
const TICK_MS = 10;

/** Processor time in milliseconds of a process and of all that descend from it, those that have ended included. */
export function cpuMsOf(pid: number): number {
  if (process.platform !== 'linux') return Number.NaN;
  const all = new Map(
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map((name) => [Number(name), fields(name)]),
  );
  return sumOf(pid, all) * TICK_MS;
}

function sumOf(pid: number, all: ReadonlyMap<number, readonly number[]>): number {
  const own = all.get(pid) ?? [];
  const times = [...TIMES, ...CHILDREN_TIMES].reduce((sum, field) => sum + (own[field] ?? 0), 0);
  const children = [...all].filter(([, stat]) => stat[PARENT] === pid);
  return children.reduce((sum, [child]) => sum + sumOf(child, all), times);
}

function fields(pid: string): readonly number[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
  } catch {
    // It has ended meanwhile.
    return [];
  }
}
