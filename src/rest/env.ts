/** What the REST routes are made of, and what a request carries through them. */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Viewer } from '../accounts/viewer.ts';
import type { EmitDependencies } from '../events/emit.ts';
import type { AppError } from '../lib/errors.ts';
import type { Tenancy } from '../platform/database/tenancy.ts';
import type { HttpVariables } from '../platform/http/env.ts';
import type { WebhookContext, WebhookDependencies } from '../webhooks/context.ts';

/** Where the bearer check finds the token. */
export type BearerRequest = { readonly authorization: string | undefined; readonly url: string };

export type RestDependencies = WebhookDependencies &
  EmitDependencies & {
    readonly tenancy: Tenancy;
    /** The viewer that the request's bearer token stands for. Throws `UNAUTHENTICATED` and the like. */
    readonly authenticate: (request: BearerRequest) => Promise<Viewer>;
    /**
     * The viewer of the session whose cookie the request carries; null without one. Throws `UNAUTHENTICATED` for one that
     * has ended.
     */
    readonly authenticateSession: (headers: Headers) => Promise<Viewer | null>;
    /** Where the server is reached. */
    readonly publicUrl: string;
    /** The WWW-Authenticate header for a refusal; undefined when there is none to give. */
    readonly challenge: (error: AppError) => string | undefined;
    /** Origins whose pages may call; none, if left out. */
    readonly corsOrigins?: readonly string[];
  };

export type RestEnv = {
  Variables: HttpVariables & {
    /** Whom the request is made by, with everything that the features ask for. */
    context: WebhookContext;
  };
};

export type RestApp = OpenAPIHono<RestEnv>;
