/** The security-relevant acts of accounts, as they are told to whoever keeps a record of them. */
import type { Queryable } from '../platform/database/pool.ts';

export type AccountAction =
  | 'session.started'
  | 'session.refused'
  | 'session.ended'
  | 'session.organization_switched'
  | 'password.changed'
  | 'second_factor.enabled'
  | 'second_factor.disabled'
  | 'second_factor.recovery_code_used'
  | 'second_factor.recovery_codes_renewed';

export type AccountAct = {
  readonly action: AccountAction;
  /** The person; null when it is not known who it was. */
  readonly userId: string | null;
  /** For which the person acted; null: for none. */
  readonly organizationId: string | null;
  readonly sessionId: string | null;
  /** Of the client. */
  readonly address: string | null;
  /** Nothing secret. */
  readonly details?: Readonly<Record<string, string | number | boolean>>;
};

/** Keeps a record of an act that has happened; in a transaction, if that is given. */
export type RecordAct = (act: AccountAct, tx?: Queryable) => Promise<void>;
