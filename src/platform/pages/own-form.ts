/** Reads the forms of our own pages and refuses those of others (CSRF). */
import { AppError } from '../../lib/errors.ts';
import { FORM_TOKEN_FIELD } from './elements.ts';
import type { FormTokens } from './form-token.ts';

/** The fields of a form by name; each once, so that no two readers see another value. */
export type Form = ReadonlyMap<string, string>;

export type OwnFormOptions = {
  /** PUBLIC_URL: the origin that our pages are of. */
  readonly publicUrl: string;
  readonly tokens: FormTokens;
  /** What the token of the form has to be bound to. */
  readonly binding: readonly string[];
};

const MAX_BYTES = 16 * 1_024;

/**
 * The fields of a form that one of our pages made for this sender.
 * Errors: `FORBIDDEN` when it comes from another origin or carries no token of this binding; `BAD_REQUEST` when it is
 * not a form, or repeats a field; `PAYLOAD_TOO_LARGE` beyond 16 KiB.
 */
export async function readOwnForm(request: Request, options: OwnFormOptions): Promise<Form> {
  refuseForeignOrigin(request.headers, options.publicUrl);
  const form = await readForm(request);
  if (!options.tokens.verify(form.get(FORM_TOKEN_FIELD), ...options.binding)) {
    throw new AppError(
      'FORBIDDEN',
      'This form is no longer valid, perhaps because it was open for long. Nothing was changed. Go back, load the page again, and send it once more.',
    );
  }
  return form;
}

/** Refuses a post that a browser says was made by a page of another origin, and one whose origin it hides. */
function refuseForeignOrigin(headers: Headers, publicUrl: string): void {
  const origin = headers.get('origin');
  const site = headers.get('sec-fetch-site');
  const { origin: ours } = new URL(publicUrl);
  // What sends neither is no browser of our time, and `none` is a person who reloads; the token is asked for all the same.
  const isOurs = site === null || site === 'same-origin' || site === 'none';
  if ((origin === null || origin === ours) && isOurs) return;
  throw new AppError(
    'FORBIDDEN',
    `Forms are taken from pages at ${ours} only. If you typed another address for this server, open it at ${ours}.`,
  );
}

async function readForm(request: Request): Promise<Form> {
  const [type] = (request.headers.get('content-type') ?? '').split(';', 1);
  if (type?.trim().toLowerCase() !== 'application/x-www-form-urlencoded') {
    throw new AppError('BAD_REQUEST', 'Expected a form: application/x-www-form-urlencoded.');
  }
  const form = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(await readText(request))) {
    if (form.has(name)) throw new AppError('BAD_REQUEST', 'A field of the form was sent more than once.');
    form.set(name, value);
  }
  return form;
}

async function readText(request: Request): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  // Read by piece, so that a body of unknown length is not read beyond the bound.
  for await (const piece of request.body ?? []) {
    bytes += piece.byteLength;
    if (bytes > MAX_BYTES) {
      throw new AppError('PAYLOAD_TOO_LARGE', `A form holds at most ${MAX_BYTES / 1_024} KiB.`);
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}
