/** Who is invited as what, checked: what comes in is put into a mail and into other people's lists. */
import { AppError, type Fault, validationError } from '../lib/errors.ts';
import { isMailAddress } from '../platform/mail/mail.ts';
import type { MemberRole } from './statements.ts';
import type { Viewer } from './viewer.ts';

export type InvitationInput = {
  readonly email: string;
  readonly name: string;
  readonly role: MemberRole;
};

export const MAX_NAME_CHARACTERS = 200;

/** The input as it is stored: address in lower case, name trimmed. Throws `VALIDATION` with every fault. */
export function parseInvitation({ email, name, role }: InvitationInput): InvitationInput {
  const address = email.trim().toLowerCase();
  const faults: Fault[] = [];
  if (!isMailAddress(address)) {
    faults.push({ path: ['email'], message: 'An email address is expected, such as ada@school.example.' });
  }
  const nameFault = findNameFault(name);
  if (nameFault !== undefined) faults.push({ path: ['name'], message: nameFault });
  if (faults.length > 0) throw validationError(faults);
  return { email: address, name: name.trim(), role };
}

/** What is wrong with a person's name, in words; undefined when nothing is. */
export function findNameFault(name: string): string | undefined {
  const trimmed = name.trim();
  const length = Array.from(trimmed).length;
  if (length === 0 || length > MAX_NAME_CHARACTERS) {
    return `A name of 1 to ${MAX_NAME_CHARACTERS} characters is expected.`;
  }
  // Line breaks, and what makes text run the other way or vanish, belong to no name.
  return /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u.test(trimmed)
    ? 'A name is one line of visible characters.'
    : undefined;
}

/**
 * Refuses (`FORBIDDEN`) to invite somebody above oneself: admins are made by admins who are signed in, by no token,
 * which somebody else may hold.
 */
export function requireMayInviteAs(viewer: Viewer, role: MemberRole): void {
  if (role !== 'ADMIN' || (viewer.role === 'ADMIN' && viewer.scopes === null)) return;
  throw new AppError('FORBIDDEN', 'Only an admin who is signed in may invite an ADMIN.');
}
