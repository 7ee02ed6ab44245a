/** Who may read the audit log is decided by the feature, whatever door asks. */
import { describe, expect, it } from 'vitest';
import { requestContext, type Viewer } from '../../src/accounts/viewer.ts';
import { PLATFORM } from '../../src/audit/entry.ts';
import { countEntries, findEntry, listEntries, platformViewer } from '../../src/audit/list.ts';
import { newId } from '../../src/lib/ids.ts';
import type { Tenancy } from '../../src/platform/database/tenancy.ts';

const ADMIN: Viewer = {
  organizationId: newId(),
  role: 'ADMIN',
  userId: newId(),
  clientId: null,
  scopes: null,
  expiresAt: new Date('2027-01-01T00:00:00Z'),
  tokenId: null,
};
const EVERYTHING = ['read', 'write', 'write:webhooks', 'read:events', 'write:events'];

/** Nobody who is refused gets as far as the database. */
const reached = (): never => {
  throw new Error('The database was asked.');
};
const tenancy = { read: reached, write: reached, close: reached, connections: reached } as unknown as Tenancy; // Never used.

describe.each([
  ['a student', { role: 'STUDENT' }],
  ['an educator', { role: 'EDUCATOR' }],
  ["an admin's token, whatever its scopes", { clientId: 'lms', scopes: EVERYTHING, tokenId: newId() }],
  ['a client, whatever its scopes', { role: 'CLIENT', userId: null, clientId: 'lms', scopes: EVERYTHING }],
] as const)('%s', (_, changes) => {
  const context = requestContext(tenancy, { ...ADMIN, ...changes });

  it.each([
    ['lists', () => listEntries(context, {}, { limit: 20 })],
    ['counts', () => countEntries(context, {})],
    ['finds', () => findEntry(context, newId())],
  ])('%s nothing', async (_name, act) => {
    await expect(act()).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });
});

describe("the platform's own log", () => {
  it('is read by an admin of the platform who has signed in, as what it belongs to', () => {
    const viewer: Viewer = { ...ADMIN, role: 'STUDENT', session: { id: newId(), isPlatformAdmin: true } };
    expect(platformViewer(viewer)).toMatchObject({
      organizationId: PLATFORM,
      role: 'ADMIN',
      userId: ADMIN.userId,
    });
  });

  it.each([
    ['an admin of an organization', ADMIN],
    ['a session of somebody else', { ...ADMIN, session: { id: newId(), isPlatformAdmin: false } }],
    ['a token', { ...ADMIN, scopes: EVERYTHING, session: { id: newId(), isPlatformAdmin: true } }],
  ])('is not read by %s', (_, viewer) => {
    expect(() => platformViewer(viewer)).toThrow('This needs an admin of the platform who has signed in.');
  });
});
