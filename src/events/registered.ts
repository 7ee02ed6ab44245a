/** user.registered: a person has become a member of an organization. */
import type { MemberRole } from '../accounts/statements.ts';
import type { Queryable } from '../platform/database/pool.ts';
import { type EmitDependencies, emitOnConnection } from './emit.ts';

type Registered = {
  readonly organizationId: string;
  readonly userId: string;
  readonly role: MemberRole;
  readonly at: Date;
};

/** Emits within the transaction that makes the person a member; see `emitOnConnection`. */
export async function emitRegistered(
  db: Queryable,
  { organizationId, userId, role, at }: Registered,
  dependencies: EmitDependencies,
): Promise<{ readonly wake: () => void }> {
  const data = { user_id: userId, role, registered_at: at.toISOString() };
  return emitOnConnection(
    db,
    organizationId,
    [{ type: 'user.registered', data, occurredAt: at }],
    dependencies,
  );
}
