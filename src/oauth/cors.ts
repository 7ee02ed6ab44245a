/**
 * Who may read answers of the token and revocation endpoints from a page in a browser: public clients, from the origins
 * of their redirect URIs. Such a request is a form without further headers, for which browsers send no preflight.
 */
import type { Client } from './client.ts';

/** The headers that let the origin read the answer; none, if it is not the client's. */
export function corsHeaders(origin: string, client: Client | undefined): Record<string, string> {
  const isOwn = client?.type === 'PUBLIC' && client.redirectUris.some((uri) => originOf(uri) === origin);
  return isOwn ? { 'Access-Control-Allow-Origin': origin, Vary: 'Origin' } : { Vary: 'Origin' };
}

/** Undefined for an application's own scheme, which is no origin of a page. */
function originOf(uri: string): string | undefined {
  const { origin } = new URL(uri);
  return origin === 'null' ? undefined : origin;
}
