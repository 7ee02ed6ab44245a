import { describe, expect, it } from 'vitest';
import { holdsScope, isScope, SCOPES } from '../../src/accounts/scope.ts';
import { authorize, mayDo, requireOwnOrganization, type Viewer } from '../../src/accounts/viewer.ts';

const MAY_WRITE = { scope: 'write:webhooks', roles: ['ADMIN', 'EDUCATOR'] } as const;

function viewer(changes: Partial<Viewer>): Viewer {
  return {
    organizationId: 'ours',
    role: 'ADMIN',
    userId: 'ada',
    clientId: null,
    scopes: null,
    expiresAt: new Date(0),
    tokenId: null,
    ...changes,
  };
}

describe('a requirement (webhooks, who may)', () => {
  it.each<readonly [string, Partial<Viewer>]>([
    ['a session of one of the roles', { role: 'EDUCATOR' }],
    [
      'a client with the scope, which has no role',
      { role: 'CLIENT', userId: null, scopes: ['write:webhooks'] },
    ],
    ['a user’s token, when scope and role both allow it', { scopes: ['read', 'write:webhooks'] }],
  ])('is met by %s', (_, changes) => {
    expect(() => authorize(viewer(changes), MAY_WRITE)).not.toThrow();
    expect(mayDo(viewer(changes), MAY_WRITE)).toBe(true);
  });

  it.each<readonly [string, Partial<Viewer>, string | undefined]>([
    ['a session of another role', { role: 'STUDENT' }, undefined],
    ['a client without the scope', { role: 'CLIENT', scopes: ['read:webhooks'] }, 'write:webhooks'],
    ['a client with no scope at all', { role: 'CLIENT', scopes: [] }, 'write:webhooks'],
    ['an admin’s token without the scope', { scopes: ['write'] }, 'write:webhooks'],
    ['a student’s token with the scope', { role: 'STUDENT', scopes: ['write:webhooks'] }, undefined],
  ])('is not met by %s (FORBIDDEN)', (_, changes, requiredScope) => {
    expect(() => authorize(viewer(changes), MAY_WRITE)).toThrow(
      expect.objectContaining({ code: 'FORBIDDEN', requiredScope }),
    );
    expect(mayDo(viewer(changes), MAY_WRITE)).toBe(false);
  });

  it('of an organization is met by its own; another one does not exist', () => {
    expect(() => requireOwnOrganization(viewer({}), undefined)).not.toThrow();
    expect(() => requireOwnOrganization(viewer({}), 'ours')).not.toThrow();
    for (const other of ['theirs', '', 'OURS']) {
      expect(() => requireOwnOrganization(viewer({}), other)).toThrow(
        expect.objectContaining({ code: 'NOT_FOUND' }),
      );
    }
  });
});

describe('the scopes', () => {
  it('hold themselves and what they contain, and nothing else', () => {
    const held = (granted: string) =>
      SCOPES.map(({ name }) => name).filter((name) => holdsScope([granted], name));
    expect(held('read')).toEqual([
      'read',
      'read:quests',
      'read:tasks',
      'read:badges',
      'read:grades',
      'read:users',
    ]);
    expect(held('write')).toEqual(
      SCOPES.map(({ name }) => name).filter((name) => !/:(webhooks|events)$/.test(name)),
    );
    expect(held('write:webhooks')).toEqual(['read:webhooks', 'write:webhooks']);
    expect(held('write:events')).toEqual(['write:events']);
    for (const unknown of ['', 'READ', 'toString', '__proto__', 'read write']) {
      expect(isScope(unknown)).toBe(false);
      expect(held(unknown)).toEqual([]);
    }
  });
});
