/**
 * What an approval is about, and what becomes of a change: what takes something away is in force at once, what adds
 * something waits for a platform admin, and what was approved goes on meanwhile (docs/adr/0030).
 */
import { holdsScope, isScope, SCOPES } from '../accounts/scope.ts';

/** What a platform admin approves. */
export type ClientSettings = {
  readonly scopes: readonly string[];
  readonly redirectUris: readonly string[];
  /** RFC 6749 grant types. */
  readonly grantTypes: readonly string[];
  readonly requiresPkce: boolean;
};

export type ChangePlan = {
  readonly inForce: ClientSettings;
  /** What waits, as a whole; null: all that is wanted is in force. */
  readonly requested: ClientSettings | null;
};

/** Splits what is wanted into what may be in force at once and what has to wait. */
export function planChange(inForce: ClientSettings, wanted: ClientSettings): ChangePlan {
  const allowed = {
    scopes: commonScopes(inForce.scopes, wanted.scopes),
    redirectUris: wanted.redirectUris.filter((uri) => inForce.redirectUris.includes(uri)),
    grantTypes: wanted.grantTypes.filter((grant) => inForce.grantTypes.includes(grant)),
    requiresPkce: inForce.requiresPkce || wanted.requiresPkce,
  };
  return { inForce: allowed, requested: isSame(allowed, wanted) ? null : wanted };
}

/** Whether both say the same; order says nothing. */
export function isSame(one: ClientSettings, other: ClientSettings): boolean {
  return (
    one.requiresPkce === other.requiresPkce &&
    isSameSet(one.scopes, other.scopes) &&
    isSameSet(one.redirectUris, other.redirectUris) &&
    isSameSet(one.grantTypes, other.grantTypes)
  );
}

/** What of the wanted scopes those in force hold, in the catalogue's order. All of them: as they are wanted. */
export function commonScopes(inForce: readonly string[], wanted: readonly string[]): readonly string[] {
  const held = wanted.filter((name) => isScope(name) && holdsScope(inForce, name));
  if (held.length === wanted.length) return wanted;
  const parts = inForce.filter((name) => isScope(name) && holdsScope(wanted, name));
  return SCOPES.map(({ name }) => name).filter((name) => held.includes(name) || parts.includes(name));
}

function isSameSet(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((item) => other.includes(item));
}
