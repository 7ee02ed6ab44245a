/** Which scopes a person of a role may give to a client: what the person may not do, no client may do for it. */
import { holdsScope, SCOPES, type Scope } from './scope.ts';
import type { MemberRole } from './statements.ts';

const HELD = {
  STUDENT: ['read', 'write:tasks'],
  EDUCATOR: ['write'],
  ADMIN: SCOPES.map(({ name }) => name),
} as const satisfies Record<MemberRole, readonly Scope[]>;

/** Whether a person of this role may give a client the scope. The role bounds every use of it once more. */
export function roleMayHold(role: MemberRole, scope: Scope): boolean {
  return holdsScope(HELD[role], scope);
}
