/** What came of one HTTP request to somebody else's server. It is a value, never an exception: a refusal is news, not a fault of ours. */

/** Milliseconds of each phase; null where it did not happen, as on a connection that was kept alive. */
export type AttemptTiming = {
  readonly dnsMs: number | null;
  readonly connectMs: number | null;
  readonly tlsMs: number | null;
  /** From the request having been handed to the connection to the first byte of the answer. */
  readonly firstByteMs: number | null;
  /** Everything, a wait for a free connection included. */
  readonly totalMs: number;
};

export type AttemptErrorKind =
  /** The name did not resolve. */
  | 'dns'
  /** No connection to any of the addresses. */
  | 'connect'
  /** The handshake failed or the certificate is not to be trusted. */
  | 'tls'
  /** The time limit was reached, in whatever phase. */
  | 'timeout'
  /** The address is closed (webhooks rules 27 to 29, 32). */
  | 'blocked_address'
  /** Not a URL or a request that may be sent. */
  | 'invalid_url'
  /** The receiver closed the connection before its answer was complete. */
  | 'reset'
  /** What came back is not HTTP, or more header than anybody needs. */
  | 'protocol'
  /** The egress proxy did not let the request through. */
  | 'proxy';

/** Names in lower case; one pair for each line that was received. */
export type HeaderPairs = readonly (readonly [name: string, value: string])[];

export type AttemptResponse = {
  readonly kind: 'response';
  readonly status: number;
  readonly headers: HeaderPairs;
  /** What was kept of the body, as it came (not decompressed); invalid UTF-8 replaced, NUL left out. */
  readonly body: string;
  /** Whether there was more of the body than was kept. */
  readonly bodyTruncated: boolean;
  readonly timing: AttemptTiming;
};

export type AttemptFailure = {
  readonly kind: 'error';
  readonly errorKind: AttemptErrorKind;
  /** A sentence for people; nothing in it is secret. */
  readonly message: string;
  readonly timing: AttemptTiming;
};

export type AttemptResult = AttemptResponse | AttemptFailure;
