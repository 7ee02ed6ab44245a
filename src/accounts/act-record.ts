/** Keeps the acts of accounts in the audit log: each in the log of every organization that the person is a member of. */
import type { Pool } from 'pg';
import { beginning } from '../audit/difference.ts';
import { type AuditSource, NO_ORIGIN } from '../audit/entry.ts';
import { recordOn } from '../audit/record.ts';
import type { Refusals } from '../audit/refusals.ts';
import type { Clock } from '../lib/clock.ts';
import { translateDatabaseError } from '../platform/database/unavailable.ts';
import type { AccountAct, AccountAction, RecordAct } from './act.ts';

export type ActRecordDeps = {
  /** Logs in as a member of the role optio_auth. */
  readonly pool: Pool;
  readonly clock: Clock;
  readonly refusals: Pick<Refusals, 'note'>;
};

/** A refusal is noted only, as fast for somebody as for nobody, whom no log tells of. Errors: `UNAVAILABLE`. */
export function createActRecord({ pool, clock, refusals }: ActRecordDeps): RecordAct {
  return async (act, db = pool) => {
    const { action, userId } = act;
    if (userId === null) return;
    const place = { userId };
    const target = targetOf(act, userId);
    const origin = { ...NO_ORIGIN, address: act.address };
    if (action === 'session.refused') {
      refusals.note({ action, place, target, origin });
      return;
    }
    const source: AuditSource = { ...origin, actor: { kind: 'USER', id: userId, clientId: null } };
    const entry = { action, target, changes: beginning(act.details ?? {}) };
    try {
      await recordOn(db, { place, source, now: clock.now() }, entry);
    } catch (error) {
      throw translateDatabaseError(error);
    }
  };
}

/** What happens to a session has it for its target; all else the person. */
const OF_SESSIONS: ReadonlySet<AccountAction> = new Set([
  'session.started',
  'session.ended',
  'session.organization_switched',
]);

function targetOf({ action, sessionId }: AccountAct, userId: string) {
  if (sessionId !== null && OF_SESSIONS.has(action)) return { type: 'Session', id: sessionId } as const;
  return { type: 'User', id: userId } as const;
}
