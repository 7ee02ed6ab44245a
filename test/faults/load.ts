/** Emits events without a pause, and knows which of them are committed. */
import { EVENT_TYPES } from '../../src/events/event-type.ts';
import type { Answer, Client } from '../support/client.ts';
import type { Random } from './random.ts';
import type { Emitted } from './reckoning.ts';

export type Load = {
  /** No further event begins; resolves with all that are committed. */
  readonly stop: () => Promise<readonly Emitted[]>;
};

export type LoadOptions = {
  /** A client of whatever serves now; asked again when a call failed. */
  readonly connect: () => Promise<Client>;
  /** Who gets an event of a type. */
  readonly subscribersOf: (type: string) => readonly string[];
  readonly random: Random;
};

const TYPES = EVENT_TYPES.filter(({ name }) => !name.startsWith('webhook.'));
const MAX_BATCH = 20;
const PAUSE_MS = 40;
const GIVE_UP_MS = 60_000;

type Batch = readonly { readonly event: string; readonly data: unknown; readonly idempotency_key: string }[];

/** Each batch is sent until it was answered, under the keys that it had: so it is committed once, whatever came between. */
export function startLoad({ connect, subscribersOf, random }: LoadOptions): Load {
  const emitted: Emitted[] = [];
  const emitBatch = createEmitter(connect);
  const stopping = new AbortController();
  let count = 0;
  const nextBatch = (): Batch =>
    Array.from({ length: random.between(1, MAX_BATCH) }, () => {
      const { name, example } = random.pick(TYPES);
      count += 1;
      return { event: name, data: example, idempotency_key: `load-${count}` };
    });
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const batch = nextBatch();
      const ids = await emitBatch(batch);
      for (const [index, { event }] of batch.entries())
        emitted.push({ eventId: ids[index] ?? '', subscriptionIds: subscribersOf(event) });
      await pause(PAUSE_MS);
    }
  };
  const running = run();
  // Heard when it is stopped.
  running.catch(() => undefined);
  return {
    stop: async () => {
      stopping.abort();
      await running;
      return emitted;
    },
  };
}

function createEmitter(connect: LoadOptions['connect']): (events: Batch) => Promise<readonly string[]> {
  let client: Promise<Client> | undefined;
  const post = async (events: Batch): Promise<Answer | undefined> => {
    client ??= connect();
    return (await client).post('/api/events', { events });
  };
  return async (events) => {
    const deadline = performance.now() + GIVE_UP_MS;
    for (;;) {
      const answer = await post(events).catch(() => undefined);
      if (answer?.status === 202)
        return (answer.body as { events: { id: string }[] }).events.map(({ id }) => id); // As REST answers 202.
      if (performance.now() > deadline || (answer !== undefined && answer.status < 500))
        throw new Error(`Emitting is answered ${answer?.status}: ${JSON.stringify(answer?.body)}`);
      client = undefined;
      await pause(PAUSE_MS);
    }
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
