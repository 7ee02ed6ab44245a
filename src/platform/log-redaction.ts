/** Takes out of log fields what no log may hold: by the name of the field, and in texts by its look. */
import { createBoundedMemory } from '../lib/bounded-memory.ts';

const REDACTED = '[redacted]';
const MAX_DEPTH = 6;
const MAX_ITEMS = 50;
const MAX_TEXT = 8_192;

/** Wherever it stands in a name, without case and separators: `authorization`, `client_secret`, `X-Api-Key`. */
const SECRET_NAME =
  /authorization|cookie|secret|password|passwd|credential|token|assertion|verifier|apikey|privatekey|masterkey|signature/;
/** Only as the whole name: `code` is an authorization code, but `response_code` a number worth reading. */
const SECRET_NAMES: ReadonlySet<string> = new Set([
  'code',
  'authorizationcode',
  'body',
  'requestbody',
  'responsebody',
  'rawbody',
  'headers',
  'requestheaders',
  'responseheaders',
  'payload',
  'data',
]);

/** Credentials of ours inside of a text, such as an error's message. */
const SECRET_TEXTS: readonly (readonly [RegExp, string])[] = [
  [/\b(Bearer|Basic|DPoP)\s+[\w\-.~+/]{8,}=*/gi, `$1 ${REDACTED}`],
  [/\bwhsec_[\w+/=-]+/g, REDACTED],
  [/\beyJ[\w-]+\.[\w-]+\.[\w-]*/g, REDACTED],
  [/\b([a-z][a-z+]*:\/\/)[^\s/@]+@/gi, `$1${REDACTED}@`],
  [
    /\b(access_token|refresh_token|id_token|client_secret|code|code_verifier|password|token)=[^&\s"']+/gi,
    `$1=${REDACTED}`,
  ],
];

/** What every one of them contains: most texts have nothing of it, and need no closer look. */
const SUSPICIOUS = /bearer|basic|dpop|whsec_|eyJ|:\/\/|=/i;

// The names of fields are few; which of them are secret is found out once.
const isSecret = createBoundedMemory<boolean>(1_000);

/** The fields as they may be logged. Errors become plain objects; what is deep or long is cut. */
export function redact(fields: object): Record<string, unknown> {
  return redactFields(fields, 0);
}

/** The text without credentials in it. */
export function redactText(text: string): string {
  const cut = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
  if (!SUSPICIOUS.test(cut)) return cut;
  return SECRET_TEXTS.reduce((clean, [pattern, replacement]) => clean.replace(pattern, replacement), cut);
}

function redactFields(fields: object, depth: number): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields)
      .slice(0, MAX_ITEMS)
      .map(([name, value]) => [name, isSecretName(name) ? REDACTED : redactValue(value, depth + 1)]),
  );
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  if (depth > MAX_DEPTH) return '[deep]';
  if (value instanceof Error) return describeError(value, depth);
  if (ArrayBuffer.isView(value)) return '[bytes]';
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => redactValue(item, depth + 1));
  return redactFields(value, depth);
}

/** Of an error only what every error has: a library's further fields may hold what it was working on. */
function describeError(error: Error, depth: number): Record<string, unknown> {
  const code: unknown = Reflect.get(error, 'code');
  return {
    name: error.name,
    message: redactText(error.message),
    ...(typeof code === 'string' ? { code } : {}),
    ...(error.stack === undefined ? {} : { stack: redactText(error.stack) }),
    ...(error.cause === undefined ? {} : { cause: redactValue(error.cause, depth + 1) }),
  };
}

function isSecretName(name: string): boolean {
  const known = isSecret.get(name);
  if (known !== undefined) return known;
  const plain = name.toLowerCase().replaceAll(/[-_.\s]/g, '');
  const found = SECRET_NAMES.has(plain) || SECRET_NAME.test(plain);
  isSecret.set(name, found);
  return found;
}
