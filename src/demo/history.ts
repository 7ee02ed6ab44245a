/** A week of the demo school as rows: events, and what became of their deliveries. Pure: the same chance, the same week. */
import { envelope } from '../events/envelope.ts';
import type { EventTypeName } from '../events/event-type.ts';
import type { LearningEvent } from '../learning/events.ts';
import { createIdGenerator } from '../lib/ids.ts';
import type { Chance } from './chance.ts';
import type { Classroom, SchoolEvent } from './classroom.ts';
import { type PastDelivery, playDelivery, type Subscriber } from './past-delivery.ts';
import { timesOfWeek } from './week.ts';

/** As a subscription is told that its receiver answered 410. */
export const GONE_REASON = 'The receiver answered 410 Gone: it wants no more deliveries.';

const TEST_AFTER_MS = 90_000;

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
  /** When the turn of a subscription came, by its id. */
  readonly turns: ReadonlyMap<string, Date>;
};

export type HistoryOptions = {
  readonly organizationId: string;
  readonly subscribers: readonly Subscriber[];
  /** The class, at the beginning of the week; at its end when this is done. */
  readonly classroom: Classroom;
  /** The user who sent the test event. */
  readonly adminId: string;
  /** The server's: seconds before retries 1, 2, … */
  readonly retrySeconds: readonly number[];
  readonly now: Date;
  readonly chance: Chance;
};

/** What happened in the week before `now`. Every attempt lies before it; what is to come waits. */
export function pastWeek(options: HistoryOptions): History {
  const { organizationId, subscribers } = options;
  const usual = [...usualMoments(options), ...latestMoments(options)];
  const turns = findTurns(usual, subscribers);
  const timeline = [...usual, ...testEvent(usual, options), ...endTold(subscribers, turns)];
  const nextId = idsAlong();
  const events: PastEvent[] = [];
  const deliveries: PastDelivery[] = [];
  for (const { at, type, data, only } of timeline.toSorted((a, b) => a.at.getTime() - b.at.getTime())) {
    const body = envelope({ type, occurredAt: at, data, organizationId });
    const event = { id: nextId(at), type, occurredAt: at, body };
    events.push(event);
    for (const subscriber of subscribers.filter((one) => (only ? one === only : wants(one, type)))) {
      const question = {
        ...options,
        event,
        subscriber,
        turnAt: turns.get(subscriber.id),
        isTest: only !== undefined,
      };
      deliveries.push(playDelivery({ ...question, id: nextId(at) }));
    }
  }
  return { events, deliveries, turns };
}

type Moment = Pick<LearningEvent, 'type' | 'data'> & {
  readonly at: Date;
  /** A test event goes to this one. */
  readonly only?: Subscriber;
};

function usualMoments({ classroom, now, chance }: HistoryOptions): readonly Moment[] {
  const begin = timesOfWeek(now, chance).filter((at) => at.getTime() < now.getTime() - LATEST_MS);
  return begin.flatMap((at) => classroom.act(at, chance).map((event) => ({ at, ...event })));
}

/** The last half hour is busy whatever the hour, so that retries are under way. */
function latestMoments({ classroom, now, chance }: HistoryOptions): readonly Moment[] {
  return LATEST.flatMap(([type, agoMinutes]) => {
    const at = new Date(now.getTime() - Math.round((agoMinutes + chance.next()) * 60_000));
    return classroom.act(at, chance, type).map((event) => ({ at, ...event }));
  });
}

// One after the other, as a class is: what is latest comes after what is usual.
const LATEST_MS = 30 * 60_000;

const LATEST: readonly (readonly [SchoolEvent, number])[] = [
  ['badge.earned', 28],
  ['task.submitted', 24],
  ['grade.updated', 21],
  ['task.completed', 18],
  ['badge.earned', 14],
  ['quest.completed', 11],
  ['grade.updated', 8],
  ['task.completed', 5],
  ['badge.earned', 3],
  ['grade.updated', 1],
];

/** A turn came with one of the last events that the subscription wants. */
function findTurns(usual: readonly Moment[], subscribers: readonly Subscriber[]): ReadonlyMap<string, Date> {
  return new Map(
    subscribers.flatMap((subscriber) => {
      const { turn } = subscriber.definition;
      if (turn === undefined) return [];
      const wanted = usual.filter(({ type }) => wants(subscriber, type)).map(({ at }) => at);
      const turnAt = wanted.toSorted((a, b) => a.getTime() - b.getTime()).at(-turn.eventsAgo) ?? wanted[0];
      return turnAt === undefined ? [] : [[subscriber.id, turnAt]];
    }),
  );
}

/** The events that tell of subscriptions that were disabled, a moment after. */
function endTold(subscribers: readonly Subscriber[], turns: ReadonlyMap<string, Date>): readonly Moment[] {
  return subscribers.flatMap(({ id, definition, targetUrl }) => {
    const turnAt = turns.get(id);
    if (definition.turn?.kind !== 'gone' || turnAt === undefined) return [];
    const data = {
      subscription_id: id,
      target_url: targetUrl,
      reason: GONE_REASON,
      disabled_at: turnAt.toISOString(),
    };
    return [{ at: new Date(turnAt.getTime() + 40), type: 'webhook.subscription.disabled' as const, data }];
  });
}

/** In the middle of the week, in working hours, an admin tried out a receiver. */
function testEvent(
  usual: readonly Moment[],
  { adminId, subscribers: [only] }: HistoryOptions,
): readonly Moment[] {
  const middle = usual[Math.floor(usual.length / 2)];
  if (middle === undefined || only === undefined) return [];
  const data = { message: 'Hello from Optio Connect.', requested_by: adminId };
  return [{ at: new Date(middle.at.getTime() + TEST_AFTER_MS), type: 'webhook.test', data, only }];
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
