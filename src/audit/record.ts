/**
 * Adds to the audit log, in the transaction of what is recorded: both are there, or neither. What is recorded holds no
 * token, code, secret or password (oauth rule 56).
 */
import type { RequestContext } from '../accounts/viewer.ts';
import type { Queryable } from '../platform/database/pool.ts';
import type { Tx } from '../platform/database/tenancy.ts';
import type { Act, AuditSource } from './entry.ts';
import { insertEntry, type NewEntry, type Place } from './statements.ts';

/** Records what the viewer of a request does, in the log of its organization. */
export async function record(
  tx: Tx,
  { viewer, source }: Pick<RequestContext, 'viewer' | 'source'>,
  now: Date,
  act: Act,
): Promise<void> {
  const place = { organizationId: viewer.organizationId };
  const { text, values } = statementOf({ ...act, place, source, at: now });
  await tx.$executeRawUnsafe(text, ...values);
}

/** Records on a connection of the owner, the worker or the authorization server. */
export async function recordOn(
  db: Queryable,
  { place, source, now }: { readonly place: Place; readonly source: AuditSource; readonly now: Date },
  act: Act,
): Promise<void> {
  await db.query(statementOf({ ...act, place, source, at: now }));
}

/** Names of fields that hold what nobody may read later. */
const SECRET_FIELD = /secret|password|token|hash|sealed|private|credential|verifier|^code$/i;

function statementOf(entry: NewEntry) {
  const secret = Object.keys(entry.changes ?? {}).find((field) => SECRET_FIELD.test(field));
  if (secret !== undefined) throw new Error(`The audit log must not hold the field ${secret}.`);
  return insertEntry(entry);
}
