/** The parameters of a request to the token endpoint (RFC 6749 3.2): one form in the body, each name once. */
import { OAuthError } from './error.ts';

/** Parameters by name. One without a value is left out: RFC 6749 3.2 treats it as not sent. */
export type Form = ReadonlyMap<string, string>;

// What gives access to whoever reads it in a log of URLs.
const CREDENTIALS = [
  'client_id',
  'client_secret',
  'client_assertion',
  'code',
  'code_verifier',
  'password',
  'refresh_token',
  'token',
  'username',
];

const MAX_BODY_BYTES = 64 * 1_024;

/**
 * The form in a request's body, which may have 64 KiB.
 * Errors: `invalid_request` for another content type, a parameter sent twice, credentials in the query, and (413) for
 * a larger body, of which no more than that is read.
 */
export async function readForm(request: Request): Promise<Form> {
  refuseCredentialsInQuery(request.url);
  const [type] = (request.headers.get('content-type') ?? '').split(';', 1);
  if (type?.trim().toLowerCase() !== 'application/x-www-form-urlencoded') {
    throw new OAuthError('invalid_request', 'The body must be application/x-www-form-urlencoded.');
  }
  return parseForm(await readBody(request));
}

/** A body of known length, which HTTP holds it to, is read at once; another one piece by piece up to the limit. */
async function readBody(request: Request): Promise<string> {
  const length = request.headers.get('content-length');
  if (length === null) return readPieces(request.body);
  if (Number(length) > MAX_BODY_BYTES) throw tooLarge();
  return request.text();
}

async function readPieces(body: ReadableStream<Uint8Array> | null): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of body ?? []) {
    bytes += piece.byteLength;
    if (bytes > MAX_BODY_BYTES) throw tooLarge();
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

function tooLarge(): OAuthError {
  const message = `The body may have at most ${MAX_BODY_BYTES} bytes.`;
  return new OAuthError('invalid_request', message, { status: 413 });
}

function refuseCredentialsInQuery(url: string): void {
  const queryStart = url.indexOf('?');
  if (queryStart === -1) return;
  const query = new URLSearchParams(url.slice(queryStart + 1));
  const found = CREDENTIALS.find((name) => query.has(name));
  if (found === undefined) return;
  throw new OAuthError(
    'invalid_request',
    `The parameter ${found} belongs into the body, not into the query.`,
  );
}

function parseForm(body: string): Form {
  const seen = new Set<string>();
  const form = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(body)) {
    // The name may be anything, so it is not repeated in the message.
    if (seen.has(name)) throw new OAuthError('invalid_request', 'A parameter was sent more than once.');
    seen.add(name);
    if (value !== '') form.set(name, value);
  }
  return form;
}
