/** Scopes in a token request (RFC 6749 3.3): what is asked for, bounded by what the client was approved for. */
import { holdsScope, isScope, SCOPES, type Scope } from '../accounts/scope.ts';
import { OAuthError } from './error.ts';

// RFC 6749 A.4. What passes can be repeated in an error_description.
const SCOPE_TOKEN = /^[!#-[\]-~]{1,100}$/;

/**
 * The scopes to grant, without repetitions, in the catalogue's order. Asked for nothing: all approved ones. A scope that an
 * approved one contains may be asked for by its own name: less is always allowed.
 * Errors: `invalid_scope`, naming the scope that is unknown or not approved.
 */
export function grantScopes(requested: string | undefined, approved: readonly string[]): readonly Scope[] {
  const wanted = requested === undefined ? approved.filter(isScope) : requested.split(' ').filter(Boolean);
  const granted = new Set(wanted.map((name) => requireApproved(name, approved)));
  if (granted.size === 0) {
    throw new OAuthError('invalid_scope', 'No scope was asked for that the client is approved for.');
  }
  return SCOPES.map(({ name }) => name).filter((name) => granted.has(name));
}

function requireApproved(name: string, approved: readonly string[]): Scope {
  if (!SCOPE_TOKEN.test(name)) {
    throw new OAuthError('invalid_scope', 'The scopes must be names separated by single spaces.');
  }
  if (!isScope(name)) throw new OAuthError('invalid_scope', `There is no scope ${name}.`);
  if (!holdsScope(approved, name)) {
    throw new OAuthError('invalid_scope', `The client is not approved for the scope ${name}.`);
  }
  return name;
}
