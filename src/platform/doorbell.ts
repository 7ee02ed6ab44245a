/**
 * The doorbell: tells all processes that there is something new to look at. A NOTIFY that says no more than which bell, outside of
 * any business transaction, coalesced to at most 50 a second per process and bell; whoever listens also polls, since a ring
 * can be lost with a connection.
 */
import { randomBytes } from 'node:crypto';
import { Client, type Pool } from 'pg';
import { givingUpAfter } from './database/pool.ts';

const CHANNEL = 'optio';
const LISTEN = `LISTEN ${CHANNEL}`;
const QUIET_MS = 20;
const RECONNECT_MS = [100, 500, 1_000, 5_000] as const;

/** What there is to look at: something due in lanes, lanes that wait to be taken, or new lines in the update log. */
export type Bell = (typeof BELLS)[number];
export const BELLS = ['lanes', 'queue', 'updates'] as const;

export type Doorbell = {
  /** Rings in this process at once, and in the others soon. Never throws. */
  readonly ring: (bell: Bell) => void;
  /** Rings in the others alone. */
  readonly ringElsewhere: (bell: Bell) => void;
  /** Calls `listener` at every ring; answers a function that ends it. */
  readonly listen: (bell: Bell, listener: () => void) => () => void;
  readonly close: () => Promise<void>;
};

export type DoorbellOptions = {
  /** Sends the rings. */
  readonly pool: Pool;
  /** Logs in for the one connection that listens. */
  readonly url: string;
  readonly onError: (error: Error) => void;
  /** How long the database may leave a statement without an answer; as for `createPool`. */
  readonly queryTimeoutMs?: number | undefined;
  /** How often the connection that listens is asked whether it is still there. Default: 10 s. */
  readonly checkEveryMs?: number | undefined;
};

const CHECK_EVERY_MS = 10_000;

/** Opens the doorbell; the listening connection is made anew whenever it breaks. */
export function openDoorbell(options: DoorbellOptions): Doorbell {
  const ringer = randomBytes(6).toString('hex');
  const bells = {
    lanes: hang(options, `lanes.${ringer}`),
    queue: hang(options, `queue.${ringer}`),
    updates: hang(options, `updates.${ringer}`),
  };
  const hear = (bell: Bell): void => {
    for (const listener of bells[bell].listeners) listener();
  };
  const ear = openEar({ ...options, ringer, hear });
  return {
    ring: (bell) => {
      hear(bell);
      bells[bell].send();
    },
    ringElsewhere: (bell) => bells[bell].send(),
    listen: (bell, listener) => {
      bells[bell].listeners.add(listener);
      return () => bells[bell].listeners.delete(listener);
    },
    close: async () => {
      for (const bell of BELLS) bells[bell].stop();
      await ear.close();
    },
  };
}

type HungBell = {
  readonly listeners: Set<() => void>;
  readonly send: () => void;
  readonly stop: () => void;
};

// Lost with a crash of the database, it would be missed by nobody: its commit need not wait for the disk.
const RING = "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)";

/** Sends the first ring at once and those that follow within 20 ms as one. */
function hang({ pool, onError }: DoorbellOptions, payload: string): HungBell {
  let quiet: NodeJS.Timeout | undefined;
  let again = false;
  const notify = (): void => {
    pool.query({ name: 'ring', text: RING, values: [CHANNEL, payload] }).catch(onError);
    quiet = setTimeout(() => {
      quiet = undefined;
      if (again) send();
    }, QUIET_MS);
  };
  const send = (): void => {
    again = quiet !== undefined;
    if (!again) notify();
  };
  return { listeners: new Set(), send, stop: () => clearTimeout(quiet) };
}

/** Reads `bell.ringer`; undefined for what is none, and for what `ringer` sent: it was heard already. */
function readPayload(payload: string | undefined, ringer: string): Bell | undefined {
  const [name, from] = payload?.split('.') ?? [];
  return from === ringer ? undefined : BELLS.find((bell) => bell === name);
}

type EarOptions = DoorbellOptions & { readonly ringer: string; readonly hear: (bell: Bell) => void };

function openEar({ hear, ringer, ...options }: EarOptions) {
  const { url, onError } = options;
  let client: Client | undefined;
  let retry: NodeJS.Timeout | undefined;
  let check: NodeJS.Timeout | undefined;
  let failures = 0;
  let closed = false;

  const connect = async (): Promise<void> => {
    const next = new Client({ connectionString: url, ...givingUpAfter(options.queryTimeoutMs) });
    client = next;
    next.on('notification', ({ payload }) => {
      const bell = readPayload(payload, ringer);
      if (bell !== undefined) hear(bell);
    });
    next.on('error', onError);
    next.once('end', reconnect);
    await next.connect();
    await next.query(LISTEN);
    failures = 0;
    checkAgain(next);
    // Rings may have been missed while nobody listened.
    for (const bell of BELLS) hear(bell);
  };
  /** Who only listens does not notice that nobody speaks any more: to listen again is a question that wants an answer. */
  const checkAgain = (listening: Client): void => {
    check = setTimeout(() => {
      if (client !== listening || closed) return;
      listening.query(LISTEN).then(
        () => checkAgain(listening),
        (error: Error) => {
          onError(error);
          listening.end().catch(onError); // Its end connects anew.
        },
      );
    }, options.checkEveryMs ?? CHECK_EVERY_MS);
  };
  const start = (): void => {
    connect().catch((error: Error) => {
      onError(error);
      client?.end().catch(onError);
      reconnect();
    });
  };
  const reconnect = (): void => {
    if (closed || retry !== undefined) return;
    retry = setTimeout(
      () => {
        retry = undefined;
        start();
      },
      RECONNECT_MS[Math.min(failures++, RECONNECT_MS.length - 1)],
    );
  };
  start();
  return {
    close: async () => {
      closed = true;
      clearTimeout(retry);
      clearTimeout(check);
      await client?.end().catch(onError);
    },
  };
}
