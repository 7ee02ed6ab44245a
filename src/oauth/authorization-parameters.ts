/** The parameters in the query of an authorization request (RFC 6749 3.1). */

export type AuthorizationParameters = {
  /** What was sent, decoded, by name; one without a value counts as left out. */
  readonly values: ReadonlyMap<string, string>;
  /** Names that were sent more than once; none of their values is among `values`. */
  readonly repeated: ReadonlySet<string>;
  /** The state as it was sent, still encoded, so that it goes back byte by byte. */
  readonly rawState: string | undefined;
};

/** Reads a query without its question mark. */
export function readParameters(query: string): AuthorizationParameters {
  const values = new Map<string, string>();
  const seen = new Set<string>();
  const repeated = new Set<string>();
  let rawState: string | undefined;
  for (const part of query.split('&')) {
    for (const [name, value] of new URLSearchParams(part)) {
      if (seen.has(name)) repeated.add(name);
      seen.add(name);
      if (value !== '') values.set(name, value);
      if (name === 'state' && value !== '') rawState = part.slice(part.indexOf('=') + 1);
    }
  }
  for (const name of repeated) values.delete(name);
  return { values, repeated, rawState: repeated.has('state') ? undefined : rawState };
}
