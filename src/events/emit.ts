/**
 * Emit: events and their deliveries, stored in one transaction and one statement (optio.emit_events).
 * The deliveries are the queue, so nothing is lost between a commit and the sending.
 */
import { DatabaseError } from 'pg';
import { keyFaults } from '../accounts/idempotency.ts';
import { authorize, type RequestContext, requireOwnOrganization } from '../accounts/viewer.ts';
import { canonicalJson } from '../lib/canonical-json.ts';
import type { Clock } from '../lib/clock.ts';
import { sha256 } from '../lib/crypto.ts';
import { AppError, type Fault, validationError } from '../lib/errors.ts';
import { newId } from '../lib/ids.ts';
import type { Statement } from '../platform/database/direct-rows.ts';
import type { Queryable } from '../platform/database/pool.ts';
import type { Unit } from '../platform/database/tenancy.ts';
import { type Trace, traced } from '../platform/tracing/trace.ts';
import { envelope } from './envelope.ts';
import { isShallow, MAX_DEPTH } from './event-data.ts';
import { type EventType, findEventType } from './event-type.ts';

/** Wakes the lanes (webhook subscriptions) of an organization that have something to send. */
export type WakeLanes = (organizationId: string, subscriptionIds: readonly string[]) => void;

export type EmitDependencies = {
  readonly clock: Clock;
  readonly wakeLanes: WakeLanes;
  readonly trace?: Trace | undefined;
};
export type EmitContext = RequestContext & EmitDependencies;

export type EventInput = {
  readonly type: string;
  readonly data: unknown;
  /** When it happened; now, if left out. */
  readonly occurredAt?: Date | undefined;
  /** The same key within 24 hours answers the first event and creates nothing. 1 to 200 characters. */
  readonly idempotencyKey?: string | undefined;
  /** May be left out; another one than the viewer's does not exist for it. */
  readonly organizationId?: string | undefined;
};

export type EmittedEvent = {
  readonly id: string;
  readonly type: string;
  readonly deliveryCount: number;
  /** The event was there already, under the same idempotency key. */
  readonly deduplicated: boolean;
};

export const MAX_BATCH = 1_000;

/**
 * Emits events on request of a viewer that holds write:events, all of them or none.
 * Throws VALIDATION with the path of each fault (`0.data.user_id`), CONFLICT when an idempotency key was used
 * for something else, FORBIDDEN, NOT_FOUND for another organization.
 */
export async function emitEvents(
  context: EmitContext,
  inputs: readonly EventInput[],
): Promise<readonly EmittedEvent[]> {
  authorize(context.viewer, { scope: 'write:events', roles: ['ADMIN'] });
  for (const input of inputs) requireOwnOrganization(context.viewer, input.organizationId);
  return context.write((unit) => emitInTransaction(unit, context.viewer.organizationId, inputs, context));
}

/** Emits within the caller's transaction: both are committed, or neither. Wakes the lanes after the commit. */
export async function emitInTransaction(
  unit: Unit,
  organizationId: string,
  inputs: readonly EventInput[],
  dependencies: EmitDependencies,
): Promise<readonly EmittedEvent[]> {
  const { events, wake } = await emit(storeIn(unit), organizationId, inputs, dependencies);
  unit.afterCommit(wake);
  return events;
}

/**
 * The same within a transaction of a role that may emit beside the tenant (worker, authorization server). The caller
 * calls `wake` after the commit; if it cannot, the deliveries go out up to a second later.
 */
export function emitOnConnection(
  db: Queryable,
  organizationId: string,
  inputs: readonly EventInput[],
  dependencies: EmitDependencies,
): Promise<{ readonly events: readonly EmittedEvent[]; readonly wake: () => void }> {
  return emit(storeOn(db), organizationId, inputs, dependencies);
}

async function emit(
  store: Store,
  organizationId: string,
  inputs: readonly EventInput[],
  { clock, wakeLanes, trace }: EmitDependencies,
): Promise<{ readonly events: readonly EmittedEvent[]; readonly wake: () => void }> {
  const prepared = prepare(organizationId, inputs, clock.now());
  const rows = await traced(trace, emitSpan(organizationId, prepared), () =>
    store(organizationId, prepared, clock.now()),
  );
  const lanes = rows[0]?.lanes ?? [];
  return {
    events: toEmitted(prepared, rows),
    wake: () => {
      if (lanes.length > 0) wakeLanes(organizationId, lanes);
    },
  };
}

function toEmitted(events: readonly PreparedEvent[], rows: readonly EmittedRow[]): readonly EmittedEvent[] {
  // A key that stands twice in this batch: the statement does not see the deliveries that it makes itself.
  const made = new Map(rows.flatMap((row) => (row.deduplicated ? [] : [[row.event_id, row.delivery_count]])));
  return rows.map((row) => ({
    id: row.event_id,
    type: events[row.ordinal - 1]?.type ?? '',
    deliveryCount: made.get(row.event_id) ?? row.delivery_count,
    deduplicated: row.deduplicated,
  }));
}

type PreparedEvent = {
  readonly id: string;
  readonly type: string;
  readonly occurredAt: Date;
  readonly body: string;
  readonly key: string | null;
  readonly hash: Buffer | null;
};

function prepare(organizationId: string, inputs: readonly EventInput[], now: Date): readonly PreparedEvent[] {
  if (inputs.length === 0 || inputs.length > MAX_BATCH) {
    throw validationError([
      { path: ['events'], message: `Expected 1 to ${MAX_BATCH} events, not ${inputs.length}.` },
    ]);
  }
  const faults = inputs.flatMap((input, index) =>
    findFaults(input).map((fault) => ({ ...fault, path: [index, ...fault.path] })),
  );
  if (faults.length > 0) throw validationError(inputs.length === 1 ? faults.map(withoutIndex) : faults);
  return inputs.map((input) => prepareOne(organizationId, input, now));
}

function findFaults(input: EventInput): readonly Fault[] {
  const type = findEventType(input.type);
  if (type === undefined) {
    return [
      { path: ['event'], message: `There is no event type ${JSON.stringify(input.type.slice(0, 200))}.` },
    ];
  }
  return [
    ...dataFaults(type, input.data),
    ...timeFaults(input.occurredAt),
    ...keyFaults(input.idempotencyKey),
  ];
}

function dataFaults(type: EventType, data: unknown): readonly Fault[] {
  if (!isShallow(data)) return [{ path: ['data'], message: `Expected at most ${MAX_DEPTH} levels.` }];
  return type.findFaults(data).map((fault) => ({ ...fault, path: ['data', ...fault.path] }));
}

/** RFC 3339 has years of four digits; an event before 1970 is a clock that was never set. */
function timeFaults(occurredAt: Date | undefined): readonly Fault[] {
  const year = occurredAt?.getUTCFullYear() ?? 1970;
  if (year >= 1970 && year <= 9999) return [];
  return [{ path: ['occurred_at'], message: 'Expected a time of the years 1970 to 9999.' }];
}

function withoutIndex(fault: Fault): Fault {
  return { ...fault, path: fault.path.slice(1) };
}

function prepareOne(organizationId: string, input: EventInput, now: Date): PreparedEvent {
  const occurredAt = input.occurredAt ?? now;
  const body = envelope({ type: input.type, occurredAt, data: input.data, organizationId });
  const key = input.idempotencyKey ?? null;
  const asked = canonicalJson([input.type, input.data, input.occurredAt ?? null]);
  return { id: newId(), type: input.type, occurredAt, body, key, hash: key === null ? null : sha256(asked) };
}

/** With the first event's id and type, which the spans of its attempts name as well. */
function emitSpan(organizationId: string, events: readonly PreparedEvent[]) {
  const attributes = {
    'optio.organization_id': organizationId,
    'optio.events': events.length,
    'optio.event_id': events[0]?.id ?? '',
    'optio.event_type': events[0]?.type ?? '',
  };
  return ['emit', { kind: 'internal', attributes }] as const;
}

type EmittedRow = {
  readonly ordinal: number;
  readonly event_id: string;
  readonly deduplicated: boolean;
  readonly delivery_count: number;
  readonly lanes: string[] | null;
};

/** Runs optio.emit_events. */
type Store = (
  organizationId: string,
  events: readonly PreparedEvent[],
  now: Date,
) => Promise<readonly EmittedRow[]>;

function columnOf(events: readonly PreparedEvent[]) {
  return <K extends keyof PreparedEvent>(key: K): PreparedEvent[K][] => events.map((event) => event[key]);
}

function storeIn({ tx }: Unit): Store {
  return (...args) => tx.rows<EmittedRow>(emitStatement(...args)).catch(rethrowKeyConflict);
}

function storeOn(db: Queryable): Store {
  return async (...args) => {
    const { text, values } = emitStatement(...args);
    const { rows } = await db.query<EmittedRow>(text, [...values]).catch(rethrowKeyConflict);
    return rows;
  };
}

function emitStatement(organizationId: string, events: readonly PreparedEvent[], now: Date): Statement {
  const column = columnOf(events);
  const columns = [column('id'), column('type'), column('occurredAt'), column('body')];
  return {
    text: `SELECT * FROM optio.emit_events($1::uuid, $2::uuid[], $3::text[], $4::timestamptz[], $5::text[], $6::text[],
             $7::bytea[], $8::timestamptz)`,
    values: [organizationId, ...columns, column('key'), column('hash'), now],
  };
}

function rethrowKeyConflict(error: unknown): never {
  if (!(error instanceof DatabaseError) || error.code !== 'OC409') throw error;
  throw new AppError(
    'CONFLICT',
    'The idempotency key was used with another event within the last 24 hours.',
    { cause: error },
  );
}
