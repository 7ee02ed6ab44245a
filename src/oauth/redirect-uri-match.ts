/** Which redirect URI a request means (RFC 6749 3.1.2.3, RFC 9700 2.1): one that is registered, character by character. */
import type { PresentedClient } from './authorization-statements.ts';

/** What was sent fits nothing, or nothing was sent and it is not clear which one is meant. */
export type RedirectUriFault = 'redirect_uri_missing' | 'redirect_uri_unknown';

type Registration = Pick<PresentedClient, 'type' | 'redirectUris'>;

/**
 * The URI to go back to. Left out, it is the only one that the client has. A program on the person's device (RFC 8252
 * 7.3), which cannot know its port beforehand, may name any port of a loopback address.
 */
export function matchRedirectUri(
  client: Registration,
  sent: string | undefined,
): { readonly redirectUri: string } | { readonly fault: RedirectUriFault } {
  if (sent === undefined) {
    const [only, ...others] = client.redirectUris;
    return only === undefined || others.length > 0
      ? { fault: 'redirect_uri_missing' }
      : { redirectUri: only };
  }
  const isRegistered = client.redirectUris.some((uri) => uri === sent || isSameLoopback(client, uri, sent));
  return isRegistered ? { redirectUri: sent } : { fault: 'redirect_uri_unknown' };
}

// Addresses alone: the name localhost may lead elsewhere (RFC 8252 8.3).
const LOOPBACK = /^(http:\/\/(?:127\.0\.0\.1|\[::1\]))(?::([1-9]\d{0,4}))?((?:[/?][!-~]*)?)$/;

function isSameLoopback({ type }: Registration, registered: string, sent: string): boolean {
  if (type !== 'PUBLIC') return false;
  const [ours, theirs] = [LOOPBACK.exec(registered), LOOPBACK.exec(sent)];
  if (ours === null || theirs === null) return false;
  return ours[1] === theirs[1] && ours[3] === theirs[3] && Number(theirs[2] ?? 80) <= 65_535;
}
