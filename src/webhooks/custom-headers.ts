/** Headers that a subscription adds to its deliveries: which are allowed (webhooks rule 34), and what of them is shown (rule 11). */
import type { Fault } from '../lib/errors.ts';

/** In the order in which they are sent. */
export type CustomHeaders = readonly (readonly [name: string, value: string])[];

export const MAX_CUSTOM_HEADERS = 20;
/** Names, values and what HTTP puts between them. */
export const MAX_CUSTOM_HEADER_BYTES = 4096;
export const MASK = '••••';

/** RFC 9110 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Visible ASCII, spaces only within: no CR, no LF, nothing that two parsers could read in two ways. */
const VALUE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

/** Framing and routing, hop-by-hop headers (RFC 9110 7.6.1), and what says in which form the body is. */
const RESERVED: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'content-type',
  'content-encoding',
  'transfer-encoding',
  'connection',
  'proxy-connection',
  'keep-alive',
  'te',
  'trailer',
  'upgrade',
  'http2-settings',
  'proxy-authenticate',
  'proxy-authorization',
  'expect',
  'user-agent',
]);
/** Receivers believe these, so only a delivery itself may set them. */
const RESERVED_PREFIXES = ['x-optio-', 'webhook-'];

/** Names under which credentials travel, in requests and in answers. */
const CREDENTIAL_NAME = /auth|cookie|token|secret|key|signature|password|passwd|pwd|credential|session/;
/** A value that says itself that it is one (RFC 9110 11.6.2). */
const CREDENTIAL_VALUE = /^(?:basic|bearer|digest|negotiate|token|apikey) /i;

/** A fault for each header that cannot be sent, by its name; none when all can. */
export function checkCustomHeaders(headers: CustomHeaders): readonly Fault[] {
  const faults = headers.flatMap(([name, value], index) => {
    const message = faultOfName(name) ?? faultOfValue(value) ?? faultOfRepetition(headers, index);
    return message === undefined ? [] : [{ path: ['custom_headers', name.slice(0, 200)], message }];
  });
  const limit = faultOfSize(headers);
  return limit === undefined ? faults : [...faults, { path: ['custom_headers'], message: limit }];
}

/**
 * Headers as the delivery log shows them: names as they are, credentials as dots.
 * Our own signature headers stay: a signature proves one body and opens nothing, and who debugs a verifier needs to see it.
 */
export function maskHeaders(headers: CustomHeaders): CustomHeaders {
  return headers.map(([name, value]) => [name, holdsCredential(name.toLowerCase(), value) ? MASK : value]);
}

function holdsCredential(name: string, value: string): boolean {
  if (isReserved(name)) return name === 'proxy-authorization';
  return CREDENTIAL_NAME.test(name) || CREDENTIAL_VALUE.test(value);
}

function isReserved(name: string): boolean {
  return RESERVED.has(name) || RESERVED_PREFIXES.some((prefix) => name.startsWith(prefix));
}

function faultOfName(name: string): string | undefined {
  if (!TOKEN.test(name)) return 'A header name is made of letters, digits and hyphens.';
  if (isReserved(name.toLowerCase())) return `${name} is set by the delivery itself and cannot be changed.`;
  return undefined;
}

function faultOfValue(value: string): string | undefined {
  if (VALUE.test(value)) return undefined;
  return 'Expected a value of visible ASCII characters, without line breaks or spaces around it.';
}

function faultOfRepetition(headers: CustomHeaders, index: number): string | undefined {
  const name = headers[index]?.[0].toLowerCase();
  const first = headers.findIndex(([other]) => other.toLowerCase() === name);
  return first === index ? undefined : 'This header is already set.';
}

function faultOfSize(headers: CustomHeaders): string | undefined {
  if (headers.length > MAX_CUSTOM_HEADERS) {
    return `Expected at most ${MAX_CUSTOM_HEADERS} headers, not ${headers.length}.`;
  }
  const bytes = headers.reduce((sum, [name, value]) => sum + Buffer.byteLength(name + value) + 4, 0);
  if (bytes <= MAX_CUSTOM_HEADER_BYTES) return undefined;
  return `Expected at most ${MAX_CUSTOM_HEADER_BYTES} bytes of headers in all, not ${bytes}.`;
}
