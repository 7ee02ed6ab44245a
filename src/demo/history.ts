/** A week of the demo school as rows: events, and what became of their deliveries. Pure: the same chance, the same week. */
import { envelope } from '../events/envelope.ts';
import type { EventTypeName } from '../events/event-type.ts';
import { createIdGenerator } from '../lib/ids.ts';
import { type Cast, type Happening, happeningAt } from './activity.ts';
import type { Chance } from './chance.ts';
import { type PastDelivery, playDelivery, type Subscriber } from './past-delivery.ts';
import { timesOfWeek } from './week.ts';

const HOUR_MS = 3_600_000;
/** When an admin tried out a receiver. */
const TEST_AGO_MS = 70 * HOUR_MS;

export type PastEvent = {
  readonly id: string;
  readonly type: EventTypeName;
  readonly occurredAt: Date;
  readonly body: string;
};

export type History = {
  /** Oldest first, as their ids. */
  readonly events: readonly PastEvent[];
  readonly deliveries: readonly PastDelivery[];
  /** When the subscription whose receiver is gone was disabled; null before its first 410. */
  readonly disabledAt: Date | null;
};

export type HistoryOptions = {
  readonly organizationId: string;
  readonly subscribers: readonly Subscriber[];
  readonly cast: Cast;
  /** The user who sent the test event. */
  readonly adminId: string;
  /** The server's: seconds before retries 1, 2, … */
  readonly retrySeconds: readonly number[];
  readonly now: Date;
  readonly chance: Chance;
};

/** What happened in the week before `now`. Every attempt lies before it; what is to come waits. */
export function pastWeek(options: HistoryOptions): History {
  const { organizationId, subscribers, cast, adminId, now, chance } = options;
  const usual: readonly Moment[] = timesOfWeek(now, chance).map((at) => ({
    at,
    ...happeningAt(at, cast, chance),
  }));
  const refusal = findRefusal(usual, subscribers, now);
  const timeline = [...usual, ...testEvent(now, adminId, subscribers), ...refusal.told].toSorted(
    (a, b) => a.at.getTime() - b.at.getTime(),
  );
  const nextId = idsAlong();
  const events: PastEvent[] = [];
  const deliveries: PastDelivery[] = [];
  for (const { at, type, data, only } of timeline) {
    const body = envelope({ type, occurredAt: at, data, organizationId });
    const event = { id: nextId(at), type, occurredAt: at, body };
    events.push(event);
    for (const subscriber of subscribers.filter((one) => (only ? one === only : wants(one, type)))) {
      const id = nextId(at);
      deliveries.push(
        playDelivery({ ...options, id, event, subscriber, ...refusal, isTest: only !== undefined }),
      );
    }
  }
  return { events, deliveries, disabledAt: refusal.disabledAt };
}

type Moment = Happening & {
  readonly at: Date;
  /** A test event goes to this one. */
  readonly only?: Subscriber;
};

/** The first event that met the 410, and the event that tells of it. */
function findRefusal(
  usual: readonly Moment[],
  subscribers: readonly Subscriber[],
  now: Date,
): { readonly disabledAt: Date | null; readonly told: readonly Moment[] } {
  const gone = subscribers.find(({ definition }) => definition.turn?.kind === 'gone');
  const agoMs = gone?.definition.turn?.agoMs ?? 0;
  const met = usual.find(
    ({ at, type }) => gone && wants(gone, type) && now.getTime() - at.getTime() <= agoMs,
  );
  if (gone === undefined || met === undefined) return { disabledAt: null, told: [] };
  const data = {
    subscription_id: gone.id,
    target_url: gone.targetUrl,
    reason: 'The receiver answered 410 Gone: it wants no more deliveries.',
    disabled_at: met.at.toISOString(),
  };
  // It is told a moment after.
  const at = new Date(met.at.getTime() + 40);
  return { disabledAt: met.at, told: [{ at, type: 'webhook.subscription.disabled', data }] };
}

function testEvent(now: Date, adminId: string, [only]: readonly Subscriber[]): readonly Moment[] {
  if (only === undefined) return [];
  const data = { message: 'Hello from Optio Connect.', requested_by: adminId };
  return [{ at: new Date(now.getTime() - TEST_AGO_MS), type: 'webhook.test', data, only }];
}

function wants({ definition: { eventTypes } }: Subscriber, type: EventTypeName): boolean {
  return eventTypes.includes('*') || eventTypes.includes(type);
}

/** Ids of the times they are asked for, which must not go back. */
function idsAlong(): (at: Date) => string {
  let time = 0;
  const next = createIdGenerator(() => time);
  return (at) => {
    time = at.getTime();
    return next();
  };
}
