/**
 * One request and its answer, from the wait for a connection to the result. It speaks undici's handler interface
 * itself: streams and signals, which undici's other interfaces bring for each request, cost more than the request.
 */
import type { Dispatcher } from 'undici';
import type { AttemptResult, AttemptTiming, HeaderPairs } from './attempt-result.ts';
import type { ConnectTarget, Phases } from './connect.ts';
import type { Expirable } from './deadlines.ts';
import { isDisconnect, OutboundFailure, requestFailure } from './failure.ts';
import { type BodyLimits, ResponseBody } from './response-body.ts';

/** What carries an exchange: a connection, or the way through a proxy. */
export type Carrier = {
  /** The phases of a connection that is new to its first exchange; undefined on one that was kept alive. */
  readonly takePhases: () => Phases | undefined;
  /** What went wrong before the request could start. */
  readonly explain: (error: Error) => OutboundFailure;
  /** The exchange is over and the connection good for the next one. */
  readonly done: () => void;
  /** The exchange is over and so is the connection. */
  readonly broken: () => void;
  /** Throws the connection away and sends the exchange once more, on a new one. */
  readonly replace: (exchange: Exchange) => void;
};

export type ExchangeRequest = {
  readonly target: ConnectTarget;
  readonly options: Dispatcher.DispatchOptions & { readonly origin: string };
};

export type ExchangeLimits = BodyLimits & { readonly timeoutMs: number };

const NO_PHASES: Readonly<Phases> = { dnsMs: null, connectMs: null, tlsMs: null };

export class Exchange implements Dispatcher.DispatchHandler, Expirable {
  readonly target: ConnectTarget;
  readonly options: ExchangeRequest['options'];
  readonly deadlineMs: number;
  readonly timeoutMs: number;
  readonly #limits: ExchangeLimits;
  readonly #onSettled: (exchange: Exchange, result: AttemptResult) => void;
  readonly #startMs = performance.now();
  readonly #body: ResponseBody;
  #carrier: Carrier | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #phases: Phases | undefined;
  #sentMs = 0;
  #firstByteMs = 0;
  #status = 0;
  #headers: HeaderPairs = [];
  #isSettled = false;
  #isResent = false;

  /** Calls `onSettled` exactly once, at the latest when `expire` is called. */
  constructor(
    request: ExchangeRequest,
    limits: ExchangeLimits,
    onSettled: (exchange: Exchange, result: AttemptResult) => void,
  ) {
    this.target = request.target;
    this.options = request.options;
    this.timeoutMs = limits.timeoutMs;
    this.deadlineMs = this.#startMs + limits.timeoutMs;
    this.#limits = limits;
    this.#onSettled = onSettled;
    this.#body = new ResponseBody(limits);
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** Hands the exchange to a dispatcher, which calls the methods below. */
  sendBy(dispatcher: Dispatcher, carrier: Carrier): void {
    this.#carrier = carrier;
    dispatcher.dispatch(this.options, this);
  }

  /** Ends the exchange with a failure that happened before a dispatcher had it. */
  fail(failure: OutboundFailure): void {
    this.#settleFailure(failure);
  }

  /** The time limit is reached: settles, and cuts the connection in whatever state it is. */
  expire(): void {
    const failure = new OutboundFailure('timeout', this.#describeTimeout());
    const controller = this.#controller;
    this.#settleFailure(failure);
    // Not started yet: nothing but giving up the connection ends it.
    if (controller === undefined) this.#release('broken');
    else controller.abort(failure);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#isSettled) return controller.abort(new Error('The attempt was given up.'));
    this.#controller = controller;
    this.#phases = this.#carrier?.takePhases();
    this.#sentMs = performance.now();
    return undefined;
  }

  /** Comes again for the final response after each interim one. */
  onResponseStarted(): void {
    this.#firstByteMs = performance.now();
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
  ): void {
    // Interim responses (RFC 9110 15.2) announce the one that counts.
    if (status < 200) return;
    this.#status = status;
    this.#headers = headerPairs(headers);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#isSettled || this.#body.add(chunk)) return;
    this.#settleResponse();
    controller.abort(new Error('More of the body than is read.'));
  }

  onResponseEnd(): void {
    this.#settleResponse();
    this.#release('done');
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#isSettled) return this.#release('broken');
    if (this.#mayResend(error)) return this.#resend();
    const isStarted = this.#controller !== undefined;
    this.#settleFailure((isStarted ? undefined : this.#carrier?.explain(error)) ?? requestFailure(error));
    return this.#release('broken');
  }

  /**
   * A receiver may close an idle connection just as it is used again; then nothing of an answer comes.
   * Delivery is at least once, so sending again is safe even if the receiver did read the request.
   */
  #mayResend(error: Error): boolean {
    const wasKeptAlive = this.#controller !== undefined && this.#phases === undefined;
    return wasKeptAlive && this.#firstByteMs === 0 && !this.#isResent && isDisconnect(error);
  }

  #resend(): void {
    const carrier = this.#carrier;
    this.#isResent = true;
    this.#carrier = undefined;
    this.#controller = undefined;
    this.#sentMs = 0;
    carrier?.replace(this);
  }

  #release(how: 'done' | 'broken'): void {
    const carrier = this.#carrier;
    this.#carrier = undefined;
    carrier?.[how]();
  }

  #settleResponse(): void {
    if (this.#isSettled) return;
    this.#settle({
      kind: 'response',
      status: this.#status,
      headers: this.#headers,
      body: this.#body.text(),
      bodyTruncated: this.#body.isTruncated,
      timing: this.#timing(),
    });
  }

  #settleFailure(failure: OutboundFailure): void {
    if (this.#isSettled) return;
    // What was reached before the request could start is known to the connection alone.
    if (this.#controller === undefined) this.#phases = this.#carrier?.takePhases();
    this.#settle({
      kind: 'error',
      errorKind: failure.kind,
      message: failure.message,
      timing: this.#timing(),
    });
  }

  #settle(result: AttemptResult): void {
    this.#isSettled = true;
    this.#onSettled(this, result);
  }

  #timing(): AttemptTiming {
    const { dnsMs, connectMs, tlsMs } = this.#phases ?? NO_PHASES;
    const firstByteMs = this.#firstByteMs === 0 ? null : this.#firstByteMs - this.#sentMs;
    return { dnsMs, connectMs, tlsMs, firstByteMs, totalMs: performance.now() - this.#startMs };
  }

  #describeTimeout(): string {
    const limit = `within ${this.#limits.timeoutMs / 1000} seconds`;
    if (this.#carrier === undefined) return `No connection to the receiver was free ${limit}.`;
    if (this.#controller === undefined) return `No connection to the receiver was made ${limit}.`;
    if (this.#status === 0) return `The receiver did not answer ${limit}.`;
    return `The receiver answered ${this.#status}, but did not finish its answer ${limit}.`;
  }
}

function headerPairs(headers: Readonly<Record<string, string | string[] | undefined>>): HeaderPairs {
  const pairs: [string, string][] = [];
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value === 'string') pairs.push([name, value]);
    else for (const one of value ?? []) pairs.push([name, one]);
  }
  return pairs;
}
