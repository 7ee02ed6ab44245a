/** The parts of route definitions that all routes share: who may call, and how refusals look. */
import { z } from '@hono/zod-openapi';
import type { Requirement } from '../accounts/viewer.ts';
import type { RestApp } from './env.ts';

const problem = z
  .object({
    type: z.string().openapi({ example: 'about:blank' }),
    title: z.string().openapi({ example: 'Unprocessable Content' }),
    status: z.int().openapi({ example: 422 }),
    detail: z
      .string()
      .openapi({ example: 'data.user_id: Invalid input: expected string, received undefined' }),
    code: z.string().openapi({ example: 'VALIDATION', description: 'For programs.' }),
    request_id: z.string().openapi({ description: 'Also in the header X-Request-Id.' }),
    errors: z
      .array(z.object({ path: z.string(), message: z.string() }))
      .optional()
      .openapi({ description: 'Each thing that does not fit, with the path that leads to it.' }),
    required_scope: z.string().optional().openapi({ description: 'The scope that the token lacks.' }),
  })
  .openapi('Problem', { description: 'RFC 9457 problem details.' });

const REFUSALS = {
  400: 'The request is malformed: its body is no JSON, or its token stands in the query.',
  401: 'No access token, or one that is not valid; WWW-Authenticate says which.',
  403: 'The scope or the role is missing; `required_scope` and WWW-Authenticate name the scope.',
  404: 'There is no such thing in the organization of the token.',
  409: 'It contradicts what is there.',
  413: 'The body is larger than 1 MiB.',
  415: 'The body is not JSON.',
  422: 'Understood, but it does not fit; `errors` holds the path of each fault.',
} as const;

type RefusalStatus = keyof typeof REFUSALS;
type ProblemResponse = {
  readonly description: string;
  readonly content: { readonly 'application/problem+json': { readonly schema: typeof problem } };
  readonly headers?: Readonly<Record<string, { schema: { type: 'string' }; description: string }>>;
};

/**
 * The refusals of a route: those named, and the ones that every route has. To the types they are not there:
 * handlers throw them, and never answer them.
 */
export function refusals(...statuses: readonly RefusalStatus[]): object {
  const own = [400, 401, ...statuses] as const;
  const retryAfter = { 'Retry-After': { schema: { type: 'string' as const }, description: 'Seconds.' } };
  return {
    ...Object.fromEntries(own.map((status) => [status, describe(REFUSALS[status])])),
    429: { ...describe('Too many requests.'), headers: retryAfter },
    503: { ...describe('Unavailable for the moment.'), headers: retryAfter },
  };
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

const SECURITY_SCHEME = 'oauth2';

/** The security of a route: the scope that its token needs; none needs a token all the same. */
export function needs(requirement?: Requirement) {
  return [{ [SECURITY_SCHEME]: requirement === undefined ? [] : [requirement.scope] }];
}

/** Names the way to a token in the document. */
export function registerSecurity(app: RestApp, scopes: Readonly<Record<string, string>>): void {
  app.openAPIRegistry.registerComponent('securitySchemes', SECURITY_SCHEME, {
    type: 'oauth2',
    description: 'An access token of the authorization server, in the header Authorization: Bearer.',
    flows: { clientCredentials: { tokenUrl: '/api/oauth/token', scopes: { ...scopes } } },
  });
}

function describe(description: string): ProblemResponse {
  return { description, content: { 'application/problem+json': { schema: problem } } };
}
