/** Logs and programs for the tests of the embedded database. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Log } from '../../../src/platform/embedded-postgres/log.ts';

export type RecordingLog = Log & {
  readonly messages: { readonly level: string; readonly message: string; readonly fields: object }[];
  /** Resolves when something is said that contains the text. */
  readonly said: (text: string) => Promise<void>;
};

export function recordingLog(): RecordingLog {
  const messages: { level: string; message: string; fields: object }[] = [];
  const waiting: { text: string; resolve: () => void }[] = [];
  const record = (level: string) => (fields: object, message: string) => {
    messages.push({ level, message, fields });
    for (const { resolve } of waiting.filter(({ text }) => message.includes(text))) {
      resolve();
    }
  };
  const said = (text: string) =>
    messages.some(({ message }) => message.includes(text))
      ? Promise.resolve()
      : new Promise<void>((resolve) => {
          waiting.push({ text, resolve });
        });
  return { messages, said, info: record('info'), warn: record('warn'), error: record('error') };
}

/** Runs a program of this folder in a process group of its own. */
export function runProgram(name: string, ...args: readonly string[]): ChildProcess {
  const path = fileURLToPath(new URL(name, import.meta.url));
  return spawn(process.execPath, [path, ...args], { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
}

/** The first lines that a program prints, at least `count`. */
export async function readLines(program: ChildProcess, count: number): Promise<string[]> {
  const lines: string[] = [];
  if (program.stdout === null) {
    throw new Error('The program was started with a pipe for its output.');
  }
  for await (const line of createInterface({ input: program.stdout })) {
    lines.push(line);
    if (lines.length >= count) {
      break;
    }
  }
  return lines;
}

/** Ends a program's whole process group as `kill -9` does, and waits until it is gone. */
export async function killGroup(program: ChildProcess): Promise<void> {
  const ended = once(program, 'exit');
  process.kill(-(program.pid ?? 0), 'SIGKILL');
  await ended;
}

/** The pid of the PostgreSQL that holds a folder. */
export async function postmasterPid(directory: string): Promise<number> {
  return Number.parseInt(await readFile(join(directory, 'data/postmaster.pid'), 'utf8'), 10);
}
