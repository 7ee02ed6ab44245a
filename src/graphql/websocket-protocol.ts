/** What the graphql-transport-ws protocol asks of us: who connects, what an operation becomes, how errors look. */
import type { IncomingMessage } from 'node:http';
import {
  type ExecutionArgs,
  type FormattedExecutionResult,
  GraphQLError,
  type GraphQLFormattedError,
} from 'graphql';
import {
  CloseCode,
  type Context,
  type ExecutionResult,
  type ServerOptions,
  type SubscribePayload,
} from 'graphql-ws';
import type { YogaServerInstance } from 'graphql-yoga';
import type { Viewer } from '../accounts/viewer.ts';
import { newId } from '../lib/ids.ts';
import { type GraphQLContext, type RequestFacts, requireViewer } from './context.ts';
import { type ErrorTranslation, publicExtensions, translateError } from './errors.ts';
import { type Admission, rateLimited } from './limits/admission.ts';
import type { SocketLimit } from './limits/sockets.ts';

export type ProtocolOptions = ErrorTranslation & {
  readonly authenticate: (headers: Headers) => Promise<Viewer | null>;
  /** The pipeline of an operation on behalf of the viewer. */
  readonly openOperation: (viewer: Viewer, facts: RequestFacts) => Enveloped;
  /** Asked before anything is executed. */
  readonly admission: Admission;
  /** Asked once it is known whose socket it is. */
  readonly sockets: SocketLimit;
};

export type Enveloped = ReturnType<YogaServerInstance<object, GraphQLContext>['getEnveloped']>;

/** What a socket remembers. */
export type SocketState = {
  readonly request: IncomingMessage;
  readonly close: (code: number, reason: string) => void;
  readonly facts: RequestFacts;
  /** What credentials are looked for in. */
  readonly headers: Headers;
  isClosed: boolean;
  /** Gives the viewer's place back. */
  leave: () => void;
};

type SocketContext = Context<InitPayload, SocketState>;
type InitPayload = { readonly authorization?: unknown } | undefined;
export type Protocol = ServerOptions<InitPayload, SocketState>;

type Pipeline = Pick<Enveloped, 'execute' | 'subscribe'>;

const MAX_OPERATIONS = 50;

/** The options of the protocol's server. */
export function createProtocol(options: ProtocolOptions, initTimeoutMs: number): Protocol {
  return {
    connectionInitWaitTimeout: initTimeoutMs,
    onConnect: (context) => connect(options, context),
    onClose: ({ extra }) => {
      extra.isClosed = true;
      extra.leave();
    },
    onSubscribe: async (context, _id, payload) => {
      try {
        return await prepare(options, context, payload);
      } catch (error) {
        return [translateError(error, newId(), options)];
      }
    },
    // The arguments are those of `prepare`, which bring the operation's own pipeline.
    execute: (args) => (args as ExecutionArgs & Pipeline).execute(args),
    subscribe: (args) => (args as ExecutionArgs & Pipeline).subscribe(args), // The same.
    onNext: (...[, , , , result]) => formatResult(result),
    onError: ({ extra }, _id, _payload, errors) => {
      // The message goes out first: it tells why.
      if (errors.some(isUnauthenticated)) setImmediate(extra.close, CloseCode.Forbidden, 'Forbidden');
      return errors.map(format);
    },
  };
}

/** The token comes in the payload (browsers cannot set headers) or in a header of the upgrade. */
async function connect(options: ProtocolOptions, context: SocketContext): Promise<boolean> {
  const { close, headers, request } = context.extra;
  const { cookie } = request.headers;
  const authorization = context.connectionParams?.authorization ?? request.headers.authorization;
  if (cookie !== undefined) headers.set('cookie', cookie);
  try {
    if (typeof authorization === 'string') headers.set('authorization', authorization);
    const viewer = await options.authenticate(headers);
    if (viewer !== null && takePlace(options.sockets, viewer, context.extra)) return true;
    if (viewer === null) close(CloseCode.Unauthorized, 'Unauthorized');
    else close(TRY_AGAIN_LATER, 'Too many sockets: close one first');
  } catch (error) {
    refuse(close, translateError(error, newId(), options));
  }
  // The socket is closing already: the code that the protocol has for false comes too late.
  return false;
}

function takePlace(sockets: SocketLimit, viewer: Viewer, extra: SocketState): boolean {
  const leave = sockets.enter(viewer);
  if (leave === undefined) return false;
  // Who went while it was looked up gets no further call.
  if (extra.isClosed) leave();
  else extra.leave = leave;
  return true;
}

function refuse(close: SocketState['close'], error: GraphQLError): void {
  const code = error.extensions['code'];
  if (code === 'UNAUTHENTICATED' || code === 'BAD_REQUEST') close(CloseCode.Unauthorized, 'Unauthorized');
  else if (code === 'UNAVAILABLE') close(TRY_AGAIN_LATER, 'Try again later');
  else close(CloseCode.InternalServerError, 'Internal server error');
}

/** RFC 6455 7.4.1 and the registry it began. */
const TRY_AGAIN_LATER = 1013;

/** Asked for each operation anew, so that a token that has ended opens nothing more. */
async function prepare(
  options: ProtocolOptions,
  { extra, subscriptions }: SocketContext,
  { query, variables, operationName }: SubscribePayload,
): Promise<(ExecutionArgs & Pipeline) | readonly GraphQLError[]> {
  if (Object.keys(subscriptions).length > MAX_OPERATIONS) {
    const message = `A socket carries at most ${MAX_OPERATIONS} operations at a time.`;
    return [new GraphQLError(message, { extensions: { code: 'RATE_LIMITED' } })];
  }
  const viewer = requireViewer(await options.authenticate(extra.headers));
  const { schema, parse, validate, contextFactory, execute, subscribe } = options.openOperation(
    viewer,
    extra.facts,
  );
  const document = await orCharge(options, viewer, () => parse(query));
  const errors = validate(schema, document);
  if (errors.length > 0) {
    await charge(options, viewer);
    return errors;
  }
  const contextValue = await contextFactory();
  const decided = await options.admission.admit({ schema, document, operationName, variables }, contextValue);
  if (decided.refusal !== undefined) throw decided.refusal;
  contextValue.admission.decided = decided;
  return { schema, document, operationName, variableValues: variables, contextValue, execute, subscribe };
}

/** What comes to no operation is charged, too; throws `RATE_LIMITED` when everything is spent. */
async function charge({ admission }: ProtocolOptions, viewer: Viewer): Promise<void> {
  const rate = await admission.charge({ viewer, address: '' });
  if (rate.isExceeded) throw rateLimited(rate);
}

async function orCharge<T>(options: ProtocolOptions, viewer: Viewer, act: () => T): Promise<T> {
  try {
    return act();
  } catch (error) {
    await charge(options, viewer);
    throw error;
  }
}

function isUnauthenticated({ extensions }: GraphQLError): boolean {
  return extensions['code'] === 'UNAUTHENTICATED';
}

/** Undefined: the result goes out as it is. */
function formatResult({ errors, data, extensions }: ExecutionResult): FormattedExecutionResult | undefined {
  if (errors === undefined) return undefined;
  return {
    errors: errors.map(format),
    ...(data === undefined ? {} : { data }),
    ...(extensions === undefined ? {} : { extensions }),
  };
}

function format(error: GraphQLError): GraphQLFormattedError {
  const extensions = publicExtensions(error);
  return { ...error.toJSON(), extensions };
}
