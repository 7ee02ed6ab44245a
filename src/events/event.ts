/** The events of an organization: list, count, look up. What they contain needs a scope of its own. */
import { authorize, type RequestContext } from '../accounts/viewer.ts';
import type { Event } from '../generated/prisma/client.ts';
import { isUuid, lowestUuidAt } from '../lib/ids.ts';
import {
  type Count,
  MAX_COUNT,
  type Page,
  type PageRequest,
  pageQuery,
  toCount,
  toPage,
} from '../lib/page.ts';
import { searchable } from '../lib/text.ts';

/** To see that an event occurred. */
export const MAY_LIST_EVENTS = { scope: 'read:webhooks', roles: ['ADMIN'] } as const;
/** To see what an event contains. */
export const MAY_READ_EVENT_DATA = { scope: 'read:events', roles: ['ADMIN'] } as const;

/** An event without its body, which may be large and needs a scope of its own. */
export type EventRecord = Omit<Event, 'body'>;

export type EventFilter = {
  readonly types?: readonly string[] | undefined;
  /** Stored at this time or later. */
  readonly since?: Date | undefined;
  /** Stored before this time. */
  readonly until?: Date | undefined;
};

const WITHOUT_BODY = { body: true } as const;

/** The viewer's events, newest first. */
export async function listEvents(
  context: RequestContext,
  filter: EventFilter,
  page: PageRequest,
): Promise<Page<EventRecord>> {
  authorize(context.viewer, MAY_LIST_EVENTS);
  const { id, take, order } = pageQuery(page);
  const where = { AND: [{ id }, conditions(context.viewer.organizationId, filter)] };
  const rows = await context.read((tx) =>
    tx.event.findMany({ where, orderBy: { id: order }, take, omit: WITHOUT_BODY }),
  );
  return toPage(rows, page);
}

/** How many events `listEvents` would list. */
export async function countEvents(context: RequestContext, filter: EventFilter): Promise<Count> {
  authorize(context.viewer, MAY_LIST_EVENTS);
  const where = conditions(context.viewer.organizationId, filter);
  return toCount(await context.read((tx) => tx.event.count({ where, take: MAX_COUNT + 1 })));
}

/** The viewer's events among these ids, in one query. An id that is none, or of another organization, is left out. */
export async function findEvents(
  context: RequestContext,
  ids: readonly string[],
): Promise<readonly EventRecord[]> {
  authorize(context.viewer, MAY_LIST_EVENTS);
  const where = { organizationId: context.viewer.organizationId, id: { in: ids.filter(isUuid) } };
  return context.read((tx) => tx.event.findMany({ where, omit: WITHOUT_BODY }));
}

/** The bodies (the envelopes, byte for byte) of these events, by id, in one query; null once past retention. */
export async function findEventBodies(
  context: RequestContext,
  ids: readonly string[],
): Promise<ReadonlyMap<string, string | null>> {
  authorize(context.viewer, MAY_READ_EVENT_DATA);
  const where = { organizationId: context.viewer.organizationId, id: { in: ids.filter(isUuid) } };
  const rows = await context.read((tx) => tx.event.findMany({ where, select: { id: true, body: true } }));
  return new Map(rows.map(({ id, body }) => [id, body]));
}

function conditions(organizationId: string, { types, since, until }: EventFilter) {
  return {
    organizationId,
    ...(types === undefined ? {} : { type: { in: types.map(searchable) } }),
    // The id holds the time of storing.
    id: {
      ...(since === undefined ? {} : { gte: lowestUuidAt(since) }),
      ...(until === undefined ? {} : { lt: lowestUuidAt(until) }),
    },
  };
}
