/** Puts what Node, OpenSSL and undici throw into the closed set of error kinds, with a sentence for people. */
import { errors } from 'undici';
import type { AttemptErrorKind } from './attempt-result.ts';
import { BLOCKED_ADDRESS_MESSAGE } from './target-url.ts';

/** A request that came to nothing, and at which step. */
export class OutboundFailure extends Error {
  override readonly name = 'OutboundFailure';
  readonly kind: AttemptErrorKind;

  constructor(kind: AttemptErrorKind, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
  }
}

/** The same failure for every closed address, whatever listens there: no step towards it was made. */
export function blockedAddress(): OutboundFailure {
  return new OutboundFailure('blocked_address', BLOCKED_ADDRESS_MESSAGE);
}

/** What says nothing about the name: the system's resolver, and the name servers themselves. */
const NO_ANSWER: ReadonlySet<string> = new Set([
  'EAI_AGAIN',
  'ETIMEOUT',
  'ESERVFAIL',
  'EREFUSED',
  'ECONNREFUSED',
]);

export function dnsFailure(hostname: string, cause?: unknown): OutboundFailure {
  const message = NO_ANSWER.has(codeOf(cause))
    ? `The name server did not answer for ${hostname}.`
    : `The name ${hostname} does not resolve to an address.`;
  return new OutboundFailure('dns', message, cause);
}

export function connectFailure(cause?: unknown): OutboundFailure {
  return new OutboundFailure('connect', CONNECT_MESSAGES[codeOf(cause)] ?? NO_CONNECTION, cause);
}

export function tlsFailure(hostname: string, cause: unknown): OutboundFailure {
  const code = codeOf(cause);
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return new OutboundFailure('tls', `The receiver's certificate is not for ${hostname}.`, cause);
  }
  const detail = code === '' ? '' : ` (${code})`;
  return new OutboundFailure('tls', TLS_MESSAGES[code] ?? `The TLS handshake failed${detail}.`, cause);
}

/** Sorts an error of undici or of a connection that was already made. */
export function requestFailure(error: unknown): OutboundFailure {
  if (error instanceof OutboundFailure) return error;
  const code = codeOf(error);
  if (code === 'UND_ERR_HEADERS_OVERFLOW') {
    return new OutboundFailure('protocol', 'The receiver answered with more headers than are read.', error);
  }
  if (isNotHttp(code, error)) {
    return new OutboundFailure('protocol', "The receiver's answer is not valid HTTP.", error);
  }
  if (code === 'UND_ERR_INVALID_ARG') {
    return new OutboundFailure('invalid_url', 'The request cannot be put into HTTP.', error);
  }
  if (code === 'UND_ERR_CLOSED' || code === 'UND_ERR_DESTROYED') {
    return new OutboundFailure('connect', 'The server was shutting down; nothing was sent.', error);
  }
  if (isTlsCode(code)) return tlsFailure('this host', error);
  return new OutboundFailure(
    'reset',
    'The receiver closed the connection before its answer was complete.',
    error,
  );
}

/** Whether the error is that of a peer that went away, as opposed to one that talks nonsense. */
export function isDisconnect(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'ECONNRESET' || code === 'EPIPE' || (code === 'UND_ERR_SOCKET' && !isNotHttp(code, error));
}

/** Whether the error comes of a TLS handshake or certificate. */
export function isTlsCode(code: string): boolean {
  return code in TLS_MESSAGES || /^(?:ERR_SSL_|ERR_TLS_|CERT_)/.test(code);
}

/** The `code` of an error of Node or undici; empty when it has none. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error) || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}

const NO_CONNECTION = 'No connection to the receiver could be made.';

const CONNECT_MESSAGES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'The receiver refused the connection.',
  ECONNRESET: 'The receiver broke off the connection as it was made.',
  EHOSTUNREACH: "There is no way to the receiver's address.",
  ENETUNREACH: "There is no way to the receiver's address.",
  ETIMEDOUT: 'The receiver did not accept the connection.',
};

const UNTRUSTED =
  "The receiver's certificate is not from an authority that is trusted, or its chain is incomplete.";

const TLS_MESSAGES: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "The receiver's certificate has expired.",
  CERT_NOT_YET_VALID: "The receiver's certificate is not valid yet.",
  DEPTH_ZERO_SELF_SIGNED_CERT: "The receiver's certificate is self-signed.",
  SELF_SIGNED_CERT_IN_CHAIN: "The receiver's certificate is from an authority that is not trusted.",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
};

/** undici reports an answer nobody asked for, a bare 100 or an upgrade as a socket error with one of these messages. */
function isNotHttp(code: string, error: unknown): boolean {
  if (error instanceof errors.HTTPParserError || code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') return true;
  return (
    code === 'UND_ERR_SOCKET' && error instanceof Error && /^bad (?:response|upgrade)$/.test(error.message)
  );
}
