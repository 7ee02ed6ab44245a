/** Scopes in a request (RFC 6749 3.3): what is asked for, bounded by what may be given. */

import { roleMayHold } from '../accounts/role-scope.ts';
import { holdsScope, isScope, SCOPES, type Scope } from '../accounts/scope.ts';
import type { MemberRole } from '../accounts/statements.ts';
import { OAuthError } from './error.ts';

// RFC 6749 A.4. What passes can be repeated in an error_description.
const SCOPE_TOKEN = /^[!#-[\]-~]{1,100}$/;

/**
 * The scopes to grant, without repetitions, in the catalogue's order. Asked for nothing: all approved ones. A scope that an
 * approved one contains may be asked for by its own name: less is always allowed.
 * Errors: `invalid_scope`, naming the scope that is unknown or not approved.
 */
export function grantScopes(requested: string | undefined, approved: readonly string[]): readonly Scope[] {
  const wanted = requested === undefined ? approved.filter(isScope) : namesOf(requested);
  return grantAll(wanted, approved, (name) => `The client is not approved for the scope ${name}.`);
}

/**
 * The scopes of a refreshed token (RFC 6749 6): those asked for, which the grant must hold.
 * Errors: `invalid_scope`, naming the scope that would be more than was granted.
 */
export function narrowScopes(requested: string, granted: readonly string[]): readonly Scope[] {
  return grantAll(namesOf(requested), granted, (name) => `The scope ${name} was not granted.`);
}

/** Every scope that those contain, themselves included. */
export function containedScopes(scopes: readonly string[]): readonly Scope[] {
  return SCOPES.map(({ name }) => name).filter((name) => holdsScope(scopes, name));
}

/** What is left of the scopes for somebody of this role: of one that is too much, the parts that are not. */
export function boundByRole(scopes: readonly string[], role: MemberRole): readonly Scope[] {
  const possible = containedScopes(scopes).filter((name) => roleMayHold(role, name));
  return possible.filter(
    (name) => scopes.includes(name) || !possible.some((other) => other !== name && holdsScope([other], name)),
  );
}

/** The scopes without those that another one of them contains. */
export function withoutContained(scopes: readonly string[]): readonly Scope[] {
  const isContained = (name: Scope) => scopes.some((other) => other !== name && holdsScope([other], name));
  return SCOPES.map(({ name }) => name).filter((name) => scopes.includes(name) && !isContained(name));
}

function grantAll(
  wanted: readonly string[],
  allowed: readonly string[],
  explain: (name: string) => string,
): readonly Scope[] {
  const granted = new Set(wanted.map((name) => requireAllowed(name, allowed, explain)));
  if (granted.size === 0) {
    throw new OAuthError('invalid_scope', 'No scope was asked for that the client is approved for.');
  }
  return SCOPES.map(({ name }) => name).filter((name) => granted.has(name));
}

function namesOf(requested: string): readonly string[] {
  return requested.split(' ').filter(Boolean);
}

function requireAllowed(name: string, allowed: readonly string[], explain: (name: string) => string): Scope {
  if (!SCOPE_TOKEN.test(name)) {
    throw new OAuthError('invalid_scope', 'The scopes must be names separated by single spaces.');
  }
  if (!isScope(name)) throw new OAuthError('invalid_scope', `There is no scope ${name}.`);
  if (!holdsScope(allowed, name)) throw new OAuthError('invalid_scope', explain(name));
  return name;
}
