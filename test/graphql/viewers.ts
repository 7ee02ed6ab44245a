/** The organizations and tokens that the tests of the GraphQL door know. */
import type { Viewer } from '../../src/accounts/viewer.ts';
import { PLATFORM } from '../../src/audit/entry.ts';
import { newId } from '../../src/lib/ids.ts';

export const NORTH = '019a0000-0000-7000-8000-00000000000a';
export const SOUTH = '019a0000-0000-7000-8000-00000000000b';
/** A user that is an admin of North. */
export const ADMIN_ID = '019a0000-0000-7000-8000-0000000000aa';
export const NOW = new Date('2026-11-23T09:30:00.000Z');

const ALL_SCOPES = ['write:webhooks', 'read:events', 'write:events', 'read', 'write'];
const EXPIRES_AT = new Date('2026-11-23T10:30:00.000Z');

/** By their token. */
export const VIEWERS: Readonly<Record<string, Viewer>> = {
  north: client(NORTH, ALL_SCOPES),
  south: client(SOUTH, ALL_SCOPES),
  'north-reader': client(NORTH, ['read:webhooks']),
  'north-emitter': client(NORTH, ['write:events']),
  'north-nothing': client(NORTH, []),
  'north-admin': person('ADMIN', null),
  'north-inviter': client(NORTH, ['write:users']),
  'north-admin-token': person('ADMIN', ALL_SCOPES),
  'north-student': person('STUDENT', null),
  'north-student-token': person('STUDENT', ALL_SCOPES),
  'south-admin': { ...person('ADMIN', null), organizationId: SOUTH },
  /** An admin of the platform who is a member nowhere. */
  platform: {
    ...person('ADMIN', null),
    organizationId: PLATFORM,
    role: 'NONE',
    session: { id: newId(), isPlatformAdmin: true },
  },
};

function client(organizationId: string, scopes: readonly string[]): Viewer {
  const identity = { role: 'CLIENT', userId: null, clientId: `client-${organizationId.at(-1)}` } as const;
  return { organizationId, ...identity, scopes, expiresAt: EXPIRES_AT, tokenId: newId() };
}

function person(role: 'ADMIN' | 'STUDENT', scopes: readonly string[] | null): Viewer {
  const userId = role === 'ADMIN' ? ADMIN_ID : newId();
  const identity = { organizationId: NORTH, role, userId, clientId: scopes === null ? null : 'client' };
  return { ...identity, scopes, expiresAt: EXPIRES_AT, tokenId: null };
}
