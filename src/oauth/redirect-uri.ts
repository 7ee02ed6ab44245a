/**
 * Which redirect URIs can be registered (RFC 6749 3.1.2, RFC 8252 7, RFC 9700 2.1). They are compared byte for byte later,
 * so that what is registered has to be written the one way that URLs are written.
 */
import type { Client } from './client.ts';

const MAX_CHARACTERS = 2_000;
/** A private-use scheme holds a domain of its owner's (RFC 8252 7.1); so none that a browser gives a meaning fits. */
const PRIVATE_SCHEME = /^[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+:$/;
const LOOPBACK_HOST = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/** Why a client of this type cannot have the redirect URI; undefined: it can. */
export function findRedirectUriFault(text: string, type: Client['type']): string | undefined {
  if (text.length > MAX_CHARACTERS) return `Expected at most ${MAX_CHARACTERS} characters.`;
  if (!/^[!-~]+$/.test(text)) return 'Expected an absolute URI of visible ASCII characters, without spaces.';
  if (!URL.canParse(text)) return 'Expected an absolute URI, such as https://lms.example/oauth/callback.';
  const url = new URL(text);
  return findSchemeFault(url, type) ?? findPartFault(url, text) ?? findSpellingFault(url, text);
}

function findSchemeFault({ protocol, hostname }: URL, type: Client['type']): string | undefined {
  if (protocol === 'https:') return undefined;
  if (protocol === 'http:') {
    return LOOPBACK_HOST.test(hostname) ? undefined : 'Expected https; http is for loopback addresses only.';
  }
  if (!PRIVATE_SCHEME.test(protocol)) {
    return `The scheme ${protocol} is not allowed; expected https, or an app's own scheme such as com.example.app:/callback.`;
  }
  return type === 'PUBLIC' ? undefined : "An app's own scheme is for public clients only; expected https.";
}

function findPartFault({ username, password, hostname, protocol }: URL, text: string): string | undefined {
  if (text.includes('#')) return 'Expected a URI without a fragment (#).';
  if (username !== '' || password !== '') return 'Expected a URI without a user name or password.';
  if (/^https?:$/.test(protocol) && hostname.includes('*')) return 'Expected a host without wildcards.';
  return undefined;
}

/** What a URL parser would write otherwise (case, default port, dots, backslashes) never equals what a client sends. */
function findSpellingFault({ href }: URL, text: string): string | undefined {
  return href === text || href === `${text}/` ? undefined : `Write it as ${href.slice(0, 200)}`;
}
