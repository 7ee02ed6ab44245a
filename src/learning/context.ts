/** What the operations of the learning core need beside the viewer, and who may do which of them. */

import { authorize, type Viewer } from '../accounts/viewer.ts';
import type { EmitContext } from '../events/emit.ts';
import type { MasterKeys } from '../lib/crypto.ts';
import { AppError, validationError } from '../lib/errors.ts';
import { isUuid } from '../lib/ids.ts';

/** `keys` seal what is kept under idempotency keys. */
export type LearningContext = EmitContext & { readonly keys: MasterKeys };

const EVERYBODY = ['ADMIN', 'EDUCATOR', 'STUDENT'] as const;
const TEACHERS = ['ADMIN', 'EDUCATOR'] as const;

export const MAY_READ_QUESTS = { scope: 'read:quests', roles: EVERYBODY } as const;
/** Tasks, and how far learners have come with them. */
export const MAY_READ_TASKS = { scope: 'read:tasks', roles: EVERYBODY } as const;
export const MAY_READ_BADGES = { scope: 'read:badges', roles: EVERYBODY } as const;
export const MAY_READ_GRADES = { scope: 'read:grades', roles: EVERYBODY } as const;
/** Start, submit and complete; a student for itself, who teaches for everybody. */
export const MAY_LEARN = { scope: 'write:tasks', roles: EVERYBODY } as const;
export const MAY_WRITE_QUESTS = { scope: 'write:quests', roles: TEACHERS } as const;
export const MAY_WRITE_BADGES = { scope: 'write:badges', roles: TEACHERS } as const;
/** Review what was submitted, and record grades. */
export const MAY_GRADE = { scope: 'write:grades', roles: TEACHERS } as const;

/** Whether the viewer sees what is not yet or no longer in the catalogue, and all learners. */
export function teaches({ role }: Viewer): boolean {
  return role !== 'STUDENT';
}

/**
 * For whom the viewer acts: itself if nobody is named. Errors: `FORBIDDEN` for a student who names somebody else;
 * `VALIDATION` (path `user_id`) for a client that acts for its organization and names nobody.
 */
export function learnerIdOf(viewer: Viewer, userId: string | undefined): string {
  const learnerId = userId ?? viewer.userId;
  if (learnerId === null) {
    const message = 'A client that acts for its organization has to say for whom.';
    throw validationError([{ path: ['user_id'], message }]);
  }
  if (!teaches(viewer) && learnerId !== viewer.userId) {
    throw new AppError('FORBIDDEN', 'To act for somebody else needs the role ADMIN or EDUCATOR.');
  }
  if (!isUuid(learnerId)) throw noMember(learnerId);
  return learnerId;
}

/** Refuses (`FORBIDDEN`) who cannot let work count that has to be approved. */
export function requireMayApprove(viewer: Viewer): void {
  if (teaches(viewer)) authorize(viewer, MAY_GRADE);
  else throw new AppError('FORBIDDEN', 'This task has to be approved: submit your work for it.');
}

export function noMember(userId: string): AppError {
  return new AppError('NOT_FOUND', `There is no member ${JSON.stringify(userId)}.`);
}
