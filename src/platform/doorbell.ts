/**
 * The doorbell: tells all processes that there is something new to look at. A NOTIFY without a payload, outside of
 * any business transaction, coalesced to at most 50 a second per process; whoever listens also polls, since a ring
 * can be lost with a connection.
 */
import { Client, type Pool } from 'pg';
import { givingUpAfter } from './database/pool.ts';

const CHANNEL = 'optio';
const LISTEN = `LISTEN ${CHANNEL}`;
const QUIET_MS = 20;
const RECONNECT_MS = [100, 500, 1_000, 5_000] as const;

/** What there is to look at: lanes with something due, or new lines in the update log. */
export type Bell = 'lanes' | 'updates';

export type Doorbell = {
  /** Rings in this process at once, and in the others soon. Never throws. */
  readonly ring: (bell: Bell) => void;
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
  const listeners = { lanes: new Set<() => void>(), updates: new Set<() => void>() };
  const hear = (bell: Bell): void => {
    for (const listener of listeners[bell]) listener();
  };
  const senders = { lanes: createSender(options, 'lanes'), updates: createSender(options, 'updates') };
  const ear = openEar(options, hear);
  return {
    ring: (bell) => {
      hear(bell);
      senders[bell].send();
    },
    listen: (bell, listener) => {
      listeners[bell].add(listener);
      return () => listeners[bell].delete(listener);
    },
    close: async () => {
      senders.lanes.stop();
      senders.updates.stop();
      await ear.close();
    },
  };
}

/** Sends the first ring at once and those that follow within 20 ms as one. */
function createSender({ pool, onError }: DoorbellOptions, bell: Bell) {
  let quiet: NodeJS.Timeout | undefined;
  let again = false;
  const notify = (): void => {
    pool.query({ name: 'ring', text: 'SELECT pg_notify($1, $2)', values: [CHANNEL, bell] }).catch(onError);
    quiet = setTimeout(() => {
      quiet = undefined;
      if (again) send();
    }, QUIET_MS);
  };
  const send = (): void => {
    again = quiet !== undefined;
    if (!again) notify();
  };
  return { send, stop: () => clearTimeout(quiet) };
}

function openEar(options: DoorbellOptions, hear: (bell: Bell) => void) {
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
      if (payload === 'lanes' || payload === 'updates') hear(payload);
    });
    next.on('error', onError);
    next.once('end', reconnect);
    await next.connect();
    await next.query(LISTEN);
    failures = 0;
    checkAgain(next);
    // Rings may have been missed while nobody listened.
    hear('lanes');
    hear('updates');
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
