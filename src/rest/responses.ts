/** The parts of route definitions that all routes share: who may call, and how refusals look. */
import { z } from '@hono/zod-openapi';
import type { Requirement } from '../accounts/viewer.ts';
import { makeProblem, type ProblemCode } from '../platform/http/problem.ts';

const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string().openapi({ description: 'For programs.' }),
    request_id: z.string().openapi({ description: 'Also in the header X-Request-Id.' }),
    errors: z
      .array(z.object({ path: z.string(), message: z.string() }))
      .optional()
      .openapi({ description: 'Each thing that does not fit, with the path that leads to it.' }),
    required_scope: z.string().optional().openapi({ description: 'The scope that the token lacks.' }),
  })
  .openapi('Problem', { description: 'RFC 9457 problem details.' });

type Refusal = { readonly code: ProblemCode; readonly when: string; readonly detail: string };

const REFUSALS = {
  400: {
    code: 'BAD_REQUEST',
    when: 'The request is malformed: its body is no JSON, or its token stands in the query.',
    detail: 'The body is not well-formed JSON.',
  },
  401: {
    code: 'UNAUTHENTICATED',
    when: 'No access token, or one that is not valid; WWW-Authenticate says which.',
    detail: 'The access token is not valid.',
  },
  403: {
    code: 'FORBIDDEN',
    when: 'The scope or the role is missing; `required_scope` and WWW-Authenticate name the scope.',
    detail: 'This needs the scope write:webhooks.',
  },
  404: {
    code: 'NOT_FOUND',
    when: 'There is no such thing in the organization of the token.',
    detail: 'There is no webhook subscription "019ab0c4-7d1e-7000-8000-000000000001".',
  },
  409: {
    code: 'CONFLICT',
    when: 'It contradicts what is there.',
    detail: 'The webhook subscription is paused; resume it, then its deliveries can be sent.',
  },
  413: {
    code: 'PAYLOAD_TOO_LARGE',
    when: 'The body is larger than 1 MiB.',
    detail: 'The body of a request holds at most 1024 KiB.',
  },
  415: {
    code: 'UNSUPPORTED_MEDIA_TYPE',
    when: 'The body is not JSON.',
    detail: 'Expected a body of the type application/json, and a Content-Type that says so.',
  },
  422: {
    code: 'VALIDATION',
    when: 'Understood, but it does not fit; `errors` holds the path of each fault.',
    detail: 'data.user_id: Invalid input: expected string, received undefined',
  },
  429: { code: 'RATE_LIMITED', when: 'Too many requests.', detail: 'Too many requests; wait a minute.' },
  503: {
    code: 'UNAVAILABLE',
    when: 'Unavailable for the moment.',
    detail: 'The database cannot be reached; try again.',
  },
} as const satisfies Record<number, Refusal>;

type RefusalStatus = keyof typeof REFUSALS;

const EVERYWHERE = [400, 401, 429, 503] as const;
const EXAMPLE_REQUEST = '019ab0c4-7d1e-7000-8000-000000000002';

/**
 * The refusals of a route: those named, and the ones that every route has. To the types they are not there:
 * handlers throw them, and never answer them.
 */
export function refusals(...statuses: readonly RefusalStatus[]): object {
  return Object.fromEntries([...EVERYWHERE, ...statuses].map((status) => [status, describeRefusal(status)]));
}

/** A JSON answer of the route. */
export function json<T extends z.ZodType>(description: string, schema: T) {
  return { description, content: { 'application/json': { schema } } } as const;
}

/** A JSON body of the route, with examples by name. */
export function jsonRequest<T extends z.ZodType>(
  schema: T,
  options: { readonly required: boolean; readonly examples: Readonly<Record<string, { value: unknown }>> },
) {
  const content = { 'application/json': { schema, examples: { ...options.examples } } };
  return { content, required: options.required } as const;
}

/** The security schemes of these routes: an access token, which a client gets by itself or has already. */
export const SECURITY_SCHEMES = ['oauth2', 'bearer'] as const;

/** The security of a route: the scope that its token needs; none needs a token all the same. */
export function needs(requirement?: Requirement) {
  const scopes = requirement === undefined ? [] : [requirement.scope];
  return SECURITY_SCHEMES.map((scheme) => ({ [scheme]: scopes }));
}

/** The security scheme of routes that no token is good for. */
export const SESSION_SCHEME = 'session';

/** The security of a route for a person who has signed in. */
export function needsSession() {
  return [{ [SESSION_SCHEME]: [] as string[] }];
}

function describeRefusal(status: RefusalStatus) {
  const { code, when, detail } = REFUSALS[status];
  const example = makeProblem(code, detail, EXAMPLE_REQUEST);
  const retryAfter = { schema: { type: 'string' as const }, description: 'Seconds.' };
  return {
    description: when,
    content: { 'application/problem+json': { schema: problem, example } },
    ...(status === 429 || status === 503 ? { headers: { 'Retry-After': retryAfter } } : {}),
  };
}
