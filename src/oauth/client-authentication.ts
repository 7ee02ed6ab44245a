/** How a client proves who it is at the token endpoint (RFC 6749 2.3.1): Basic, or the body; never both. */
import { equalInConstantTime, sha256 } from '../lib/crypto.ts';
import type { AuthenticatedClient, Client } from './client.ts';
import { OAuthError } from './error.ts';
import type { Form } from './form.ts';

/** What a request brought to prove that it comes from `clientId`. */
export type ClientCredentials = {
  readonly clientId: string;
  /** SHA-256 of each reading of the secret; none when no secret was sent. */
  readonly secretHashes: readonly Buffer[];
  readonly method: 'client_secret_basic' | 'client_secret_post' | 'none';
};

const BASIC = /^basic +([A-Za-z0-9+/_-]+={0,2}) *$/i;
const CHALLENGE = { 'WWW-Authenticate': 'Basic realm="optio", charset="UTF-8"' };
// Compared where there is no secret, so that an unknown client costs what a known one does.
const NO_SECRET = Buffer.alloc(32);

/**
 * Reads the credentials of a request.
 * Errors: `invalid_request` for two methods at once (RFC 6749 2.3); `invalid_client` for none, or a malformed header.
 */
export function readClientCredentials(authorization: string | undefined, form: Form): ClientCredentials {
  if (authorization !== undefined) return readBasic(authorization, form);
  const clientId = form.get('client_id');
  if (clientId === undefined) throw new OAuthError('invalid_client', 'The client did not authenticate.');
  const secret = form.get('client_secret');
  return secret === undefined
    ? { clientId, secretHashes: [], method: 'none' }
    : { clientId, secretHashes: [sha256(secret)], method: 'client_secret_post' };
}

/** The client that a request says it comes from; empty where it names none. */
export function claimedClientId(authorization: string | undefined, form: Form): string {
  const basic = authorization === undefined ? undefined : decodeBasic(authorization);
  return basic?.clientId ?? form.get('client_id') ?? '';
}

/**
 * The client, if the credentials prove it. A confidential client needs one of its valid secrets, whatever else the
 * request holds; a public one sends none. An unknown client and a wrong secret do the same work.
 */
export function authenticateClient(
  client: Client | undefined,
  credentials: ClientCredentials,
): AuthenticatedClient | undefined {
  const matched = matchSecret(client?.secretHashes ?? [], credentials.secretHashes);
  if (client === undefined) return undefined;
  if (client.type === 'PUBLIC') {
    return credentials.method === 'none' ? { ...client, usedSecretHash: null } : undefined;
  }
  return matched === undefined ? undefined : { ...client, usedSecretHash: matched };
}

/**
 * The one refusal for an unknown client and a wrong secret; with a challenge when the header was used (RFC 6749 5.2).
 * `found`: the client, if there is one.
 */
export function invalidClient(method: ClientCredentials['method'], found?: Client): OAuthError {
  const headers = method === 'client_secret_basic' ? CHALLENGE : {};
  return new OAuthError('invalid_client', 'The client is unknown or its secret is wrong.', {
    headers,
    ...(found === undefined ? {} : { refused: found }),
  });
}

function readBasic(authorization: string, form: Form): ClientCredentials {
  if (form.has('client_secret') || form.has('client_assertion')) {
    throw new OAuthError('invalid_request', 'The client used two ways to authenticate at once.');
  }
  const decoded = decodeBasic(authorization);
  if (decoded === undefined) throw invalidClient('client_secret_basic');
  const named = form.get('client_id');
  if (named !== undefined && named !== decoded.clientId) {
    throw new OAuthError(
      'invalid_request',
      'The body names another client_id than the Authorization header.',
    );
  }
  return { ...decoded, method: 'client_secret_basic' };
}

function decodeBasic(authorization: string): Omit<ClientCredentials, 'method'> | undefined {
  const [, encoded] = BASIC.exec(authorization) ?? [];
  if (encoded === undefined) return undefined;
  const pair = Buffer.from(encoded, 'base64').toString();
  const colon = pair.indexOf(':');
  if (colon < 1) return undefined;
  const secret = pair.slice(colon + 1);
  // RFC 6749 2.3.1 form-encodes both parts; many clients in the field send them raw. Ids read alike either way.
  const readings = new Set([formDecode(secret), secret]);
  return { clientId: formDecode(pair.slice(0, colon)), secretHashes: [...readings].map(sha256) };
}

function formDecode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text; // A raw text with a percent sign in it.
  }
}

/** Compares every pair, found or not, so that the time tells nothing. */
function matchSecret(valid: readonly Buffer[], sent: readonly Buffer[]): Buffer | undefined {
  let matched: Buffer | undefined;
  for (const hash of valid.length === 0 ? [NO_SECRET] : valid) {
    for (const candidate of sent) {
      if (equalInConstantTime(hash, candidate) && valid.length > 0) matched = hash;
    }
  }
  return matched;
}
