import { describe, expect, test } from 'vitest';
import { OAuthError } from '../../src/oauth/error.ts';
import { grantScopes } from '../../src/oauth/scope.ts';

describe('scopes of a token request (RFC 6749 3.3)', () => {
  test('all approved ones when none is asked for, in the catalogue order', () => {
    expect(grantScopes(undefined, ['write:events', 'read:quests'])).toEqual(['read:quests', 'write:events']);
  });

  test('those asked for, once each, whatever their order', () => {
    const approved = ['read:quests', 'read:tasks', 'write:events'];
    expect(grantScopes('write:events read:quests write:events', approved)).toEqual([
      'read:quests',
      'write:events',
    ]);
  });

  test('one that an approved one contains', () => {
    expect(grantScopes('read:grades', ['write'])).toEqual(['read:grades']);
    expect(grantScopes('read:webhooks', ['write:webhooks'])).toEqual(['read:webhooks']);
  });

  test.each([
    ['read:webhooks', ['read', 'write']],
    ['write:events', ['read:events']],
    ['read', ['read:quests', 'read:tasks', 'read:badges', 'read:grades', 'read:users']],
    ['read:quests openid', ['read:quests']],
    ['READ', ['read']],
    ['toString', ['read']],
    ['"quoted"', ['read']],
    ['ü', ['read']],
    [' ', ['read']],
  ])('refuses %j of a client approved for %j', (requested, approved) => {
    expect(() => grantScopes(requested, approved)).toThrow(OAuthError);
    expect(() => grantScopes(requested, approved)).toThrow(
      expect.objectContaining({ code: 'invalid_scope' }),
    );
  });

  test('refuses a client without any approved scope', () => {
    expect(() => grantScopes(undefined, [])).toThrow(expect.objectContaining({ code: 'invalid_scope' }));
  });

  test('leaves out an approved scope that is no longer in the catalogue', () => {
    expect(grantScopes(undefined, ['read:quests', 'read:parchment'])).toEqual(['read:quests']);
  });
});
