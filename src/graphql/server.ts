/**
 * GraphQL over HTTP, server-sent events and WebSocket. One pipeline for all of them: parse, limits, validate,
 * authenticate, execute, translate errors.
 */
import type { Server } from 'node:http';
import { createYoga } from 'graphql-yoga';
import type { Viewer } from '../accounts/viewer.ts';
import { newId } from '../lib/ids.ts';
import { UNKNOWN_ADDRESS } from '../platform/http/client-address.ts';
import type { Cidr } from '../platform/ip-range.ts';
import { type RateLimitState, rateLimitHeaders } from '../platform/rate-limit.ts';
import type { Trace } from '../platform/tracing/trace.ts';
import { createBrowserGuard } from './browser-guard.ts';
import {
  type AdmissionSlot,
  type ContextDependencies,
  createContext,
  type GraphQLContext,
  type RequestFacts,
} from './context.ts';
import { createDocumentCache } from './document-cache.ts';
import { type ErrorTranslation, translateError } from './errors.ts';
import { type Admission, createAdmission, rateLimited } from './limits/admission.ts';
import { DEFAULT_LIMITS, type Limits } from './limits/limits.ts';
import { limitSockets } from './limits/sockets.ts';
import { limitStreams } from './limits/streams.ts';
import { type ObserveOperation, useOperationCount } from './operation-count.ts';
import { useOperationTrace } from './operation-trace.ts';
import { useAdmission, useErrorTranslation, useLimits, useOperationEnd } from './plugins.ts';
import { createSchema } from './schema.ts';
import { useSharedEvents } from './shared-events.ts';
import { attachWebSocket, type WebSockets, type WebSocketTimes } from './websocket.ts';

export type GraphQLServerOptions = ContextDependencies &
  ErrorTranslation & {
    /**
     * Who a request is made by, from its headers (those of the upgrade, and the payload of connection_init, for a
     * WebSocket). Null without credentials; throws `UNAUTHENTICATED` for bad ones.
     */
    readonly authenticate: (headers: Headers) => Promise<Viewer | null>;
    /** Where the server is reached; pages of this origin may use the API. */
    readonly publicUrl: string;
    /** Other origins whose pages may. */
    readonly corsOrigins: readonly string[];
    /** The proxies whose X-Forwarded-For counts at an upgrade to a WebSocket; none, if left out. */
    readonly trustedProxies?: readonly Cidr[];
    /** What differs from `DEFAULT_LIMITS`. */
    readonly limits?: Partial<Limits>;
    readonly webSocketTimes?: Partial<WebSocketTimes>;
    readonly onUnusedQuery?: 'error' | null;
    /** Told of every operation and what came of it. */
    readonly observeOperation?: ObserveOperation;
    readonly trace?: Trace | undefined;
  };

export type GraphQLServer = {
  /** Answers a request to /graphql; `requestId` is what the log calls it, `address` where it comes from. */
  readonly fetch: (request: Request, requestId?: string, address?: string) => Promise<Response>;
  /** Takes over the upgrades of the HTTP server; those of other paths than /graphql are refused. */
  readonly attachWebSocket: (httpServer: Server) => WebSockets;
};

export const GRAPHQL_PATH = '/graphql';
const MAX_BODY_BYTES = 1024 * 1024;

/** Opens the door. */
export function createGraphQLServer(options: GraphQLServerOptions): GraphQLServer {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const guard = createBrowserGuard(options.publicUrl, options.corsOrigins);
  const admission = createAdmission(limits);
  const sockets = limitSockets(limits.maxSockets);
  // Beside the request, since Yoga copies a context that it is given, which costs more than all else of ours.
  const factsOf = new WeakMap<Request, RequestFacts>();
  const limited = limitStreams(limits.maxStreams);
  const pipeline = {
    ...options,
    limits,
    admission,
    subscribeToUpdates: limited(options.subscribeToUpdates),
    followReplay: limited(options.followReplay),
  };
  const yoga = createYogaServer(pipeline, (request) => factsOf.get(request) ?? NO_FACTS);
  const withCors = (request: Request, response: Response): Response => {
    const origin = request.headers.get('origin');
    return origin === null ? response : withHeaders(response, guard.headersFor(origin));
  };
  const answer = async (
    request: Request,
    facts: RequestFacts & { readonly admission: AdmissionSlot },
  ): Promise<Response> => {
    factsOf.set(request, facts);
    const response = await yoga.fetch(request);
    const { decided } = facts.admission;
    if (decided !== undefined) return withHeaders(response, rateLimitHeaders(POLICY, decided.rate));
    const rate = await admission.charge({ viewer: null, address: facts.address });
    return withHeaders(rate.isExceeded ? tooMany(rate) : response, rateLimitHeaders(POLICY, rate));
  };
  return {
    fetch: async (request, requestId, address = UNKNOWN_ADDRESS) => {
      const userAgent = request.headers.get('user-agent');
      const response =
        guard.intercept(request) ?? (await answer(request, { requestId, address, userAgent, admission: {} }));
      return withCors(request, response);
    },
    attachWebSocket: (httpServer) =>
      attachWebSocket(httpServer, {
        ...options,
        times: options.webSocketTimes ?? {},
        path: GRAPHQL_PATH,
        isAllowedOrigin: guard.isAllowedOrigin,
        maxMessageBytes: MAX_BODY_BYTES,
        trustedProxies: options.trustedProxies ?? [],
        openOperation: (viewer, facts) => yoga.getEnveloped({ viewer, facts }),
        admission,
        sockets,
      }),
  };
}

const NO_FACTS: RequestFacts = { address: UNKNOWN_ADDRESS };
/** The name of the rate limit in the headers that tell of it. */
const POLICY = 'points';

function withHeaders(response: Response, headers: readonly (readonly [string, string])[]): Response {
  for (const [name, value] of headers) response.headers.append(name, value);
  return response;
}

function tooMany(rate: RateLimitState): Response {
  const { message, retryAfterSeconds } = rateLimited(rate);
  const extensions = { code: 'RATE_LIMITED', retryAfterSeconds };
  const headers = { 'Retry-After': String(retryAfterSeconds) };
  return Response.json({ errors: [{ message, extensions }] }, { status: 429, headers });
}

/** A WebSocket authenticates before, and leaves the viewer, and what is known of it, in the context. */
type InitialContext = { readonly viewer?: Viewer; readonly facts?: RequestFacts };

type Pipeline = GraphQLServerOptions & { readonly limits: Limits; readonly admission: Admission };

function createYogaServer(options: Pipeline, factsOf: (request: Request) => RequestFacts) {
  const { authenticate, limits, admission } = options;
  return createYoga<InitialContext, GraphQLContext>({
    schema: createSchema({ onUnusedQuery: options.onUnusedQuery ?? null }),
    graphqlEndpoint: GRAPHQL_PATH,
    context: async ({ request, viewer, facts = NO_FACTS }) =>
      viewer === undefined
        ? createContext(options, await authenticate(request.headers), factsOf(request))
        : createContext(options, viewer, facts),
    plugins: [
      useSharedEvents(),
      useLimits(limits),
      useOperationEnd(),
      useErrorTranslation(options),
      ...(options.observeOperation === undefined ? [] : [useOperationCount(options.observeOperation)]),
      ...(options.trace === undefined ? [] : [useOperationTrace(options.trace)]),
      // Last, so that the others see what it refuses.
      useAdmission(admission, options),
    ],
    maskedErrors: { maskError: (error) => translateError(error, newId(), options) },
    parserAndValidationCache: { documentCache: createDocumentCache(), errorCache: createDocumentCache() },
    // The shell around all routes limits bodies; Yoga would read each one through a stream of its own.
    maxRequestBodySize: false,
    // Ours are in browser-guard.ts: Yoga's reflects any origin, and it executes forms.
    cors: false,
    multipart: false,
    batching: false,
    graphiql: false,
    landingPage: false,
    logging: false,
  });
}
