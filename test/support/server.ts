/** The server as operators run it: a process of its own, in a process group of its own, spoken to over the network. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, rm } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import packageJson from '../../package.json' with { type: 'json' };
import { scratchFolder } from './scratch-folder.ts';

export type Credentials = { readonly id: string; readonly secret: string };

export const CLIENT: Credentials = { id: 'flow-client', secret: 'FlowClientSecretOfFortyCharactersInAll00' };

export type Environment = Readonly<Record<string, string>>;
export type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

export type ServerProcess = {
  readonly pid: number;
  /** What it has printed so far, both streams, without colours. */
  readonly output: () => string;
  /** Resolves with the first match in the output, or undefined when it ends without one. */
  readonly said: (pattern: RegExp) => Promise<RegExpExecArray | undefined>;
  /** Resolves when it has ended and its output is complete. */
  readonly exited: Promise<Exit>;
  /** Signals the whole process group and waits for its end. */
  readonly kill: (signal: NodeJS.Signals) => Promise<Exit>;
};

export type RunningServer = ServerProcess & {
  readonly url: string;
  /** Ends it in good order. May be called when it has ended already. */
  readonly stop: () => Promise<Exit>;
};

export const MASTER_KEY: string = Buffer.alloc(32, 'optio flow key').toString('base64');
const ROOT = new URL('../..', import.meta.url);
const MAIN = fileURLToPath(new URL('src/main.ts', ROOT));
const COMPILED = fileURLToPath(new URL('node_modules/.cache/compile', ROOT));
/** What `npm start` gives to Node: MiB for young objects. */
const [, FOR_WORKERS = '', FOR_OTHERS = ''] =
  /node --max-semi-space-size=\$\(\[ "\$ROLE" = worker ] && echo (\d+) \|\| echo (\d+)\) /.exec(
    packageJson.scripts.start,
  ) ?? [];
// As people read it, and as programs do in production.
const READY = /\bready role=\w+ port=(\d+)|"port":(\d+),.*"message":"ready"/;

/**
 * Starts a server and waits until it says that it is ready. It listens on a free port; targets on the loopback
 * interface are allowed; its client is `CLIENT`; it shows no demo. Throws with its output when it ends before.
 */
export async function startServer(environment: Environment): Promise<RunningServer> {
  const server = runServer({
    MASTER_KEY,
    BOOTSTRAP_CLIENT_ID: CLIENT.id,
    BOOTSTRAP_CLIENT_SECRET: CLIENT.secret,
    WEBHOOK_ALLOW_CIDRS: '127.0.0.0/8',
    PORT: '0',
    DEMO: '0',
    ...environment,
  });
  const port = await readPort(server);
  return { ...server, url: `http://127.0.0.1:${port}`, stop: () => server.kill('SIGTERM') };
}

export type DataDirectory = { readonly path: string; readonly remove: () => Promise<void> };

/** A new folder for a server's data. */
export async function createDataDirectory(): Promise<DataDirectory> {
  const path = await scratchFolder('optio-flow-');
  // For root, PostgreSQL runs as another user, who has to get through.
  await chmod(path, 0o711);
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** Runs a server with these settings and no others, whatever becomes of it. */
export function runServer(environment: Environment): ServerProcess {
  const { PATH = '', NODE_COMPILE_CACHE = COMPILED } = process.env;
  const young = environment['ROLE'] === 'worker' ? FOR_WORKERS : FOR_OTHERS;
  const child = spawn(process.execPath, [`--max-semi-space-size=${young}`, MAIN], {
    env: { PATH, NODE_COMPILE_CACHE, MALLOC_ARENA_MAX: '2', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const exited = once(child, 'close').then(
    ([code, signal]): Exit => ({ code: code as Exit['code'], signal: signal as Exit['signal'] }), // As `close` has them.
  );
  const { output, said } = gather(child, exited);
  return {
    pid: child.pid ?? 0,
    output,
    said,
    exited,
    kill: (signal) => {
      signalGroup(child.pid ?? 0, signal);
      return exited;
    },
  };
}

async function readPort(server: ServerProcess): Promise<string> {
  const match = await server.said(READY);
  const port = match?.[1] ?? match?.[2];
  if (port === undefined) throw new Error(`The server ended before it was ready:\n${server.output()}`);
  return port;
}

function gather(child: ChildProcessByStdio<null, Readable, Readable>, exited: Promise<Exit>) {
  let text = '';
  const listeners = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += stripVTControlCharacters(chunk);
      for (const listener of listeners) listener();
    });
  }
  const said: ServerProcess['said'] = (pattern) =>
    new Promise((resolve) => {
      const look = (): void => {
        const match = pattern.exec(text);
        if (match === null) return;
        listeners.delete(look);
        resolve(match);
      };
      listeners.add(look);
      look();
      exited.then(
        () => resolve(undefined),
        () => resolve(undefined),
      );
    });
  return { output: () => text, said };
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    // ESRCH: it has ended.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
