/** /api/oauth/clients: register, list, get, change, delete, rotate the secret. For admins who have signed in. */
import { createRoute, z } from '@hono/zod-openapi';
import { requireOwnOrganization } from '../accounts/viewer.ts';
import { isUuid } from '../lib/ids.ts';
import { type ClientContext, MAY_MANAGE_CLIENTS } from '../oauth/client-context.ts';
import {
  deleteClient,
  findOwnClient,
  getClient,
  listClients,
  registerClient,
  updateClient,
} from '../oauth/client-registration.ts';
import { rotateClientSecret } from '../oauth/client-secret.ts';
import type { RestApp } from './env.ts';
import { jsonBody } from './json-body.ts';
import {
  clientChanges,
  clientQuery,
  newClient,
  oauthClient,
  oauthClientWithSecret,
  printClient,
  printClientWithSecret,
  secretRotation,
  toChanges,
} from './oauth-client-schema.ts';
import { EXAMPLE_IDS, idempotencyHeaders, pageRequest, pageSchema, printPage } from './parameters.ts';
import { json, jsonRequest, needsSession, refusals } from './responses.ts';
import type { SessionGuard } from './session-guard.ts';

const PATH = '/api/oauth/clients';
const common = { tags: ['OAuth clients'], security: needsSession() };

const examples = {
  'an LMS that people sign in to': {
    value: { name: 'Gradebook', redirect_uris: ['https://lms.example/oauth/callback'] },
  },
  Moodle: {
    value: {
      name: 'Moodle',
      preset: 'moodle',
      redirect_uris: ['https://moodle.example/admin/oauth2callback.php'],
      scopes: ['read:quests', 'write:tasks'],
    },
  },
  'a server that acts for the organization': {
    value: { name: 'Nightly export', grant_types: ['client_credentials'], scopes: ['read', 'write:events'] },
  },
};
const changeExamples = {
  'another redirect URI, which waits for approval': {
    value: { redirect_uris: ['https://lms.example/oauth/callback', 'https://lms.example/v2/callback'] },
  },
  'another name': { value: { name: 'Grades' } },
};

/** By its id or its client_id, which differ in form. */
const parameters = z.object({
  id: z
    .string()
    .transform((text) => (isUuid(text) ? text.toLowerCase() : text.slice(0, 255)))
    .openapi({
      type: 'string',
      param: { name: 'id', in: 'path' },
      description: 'Its `id` or its `client_id`.',
      example: EXAMPLE_IDS.client,
    }),
});

/** Adds the routes. */
export function addOAuthClients(app: RestApp, guard: SessionGuard): void {
  addRegister(app, guard);
  addList(app, guard);
  addGet(app, guard);
  addUpdate(app, guard);
  addDelete(app, guard);
  addRotateSecret(app, guard);
}

function addRegister(app: RestApp, guard: SessionGuard): void {
  const route = createRoute({
    ...common,
    method: 'post',
    path: PATH,
    operationId: 'registerClient',
    summary: 'Register a client, which waits for approval',
    middleware: [guard(MAY_MANAGE_CLIENTS), jsonBody],
    request: { headers: idempotencyHeaders, body: jsonRequest(newClient, { required: true, examples }) },
    responses: {
      201: json('The client, with its secret.', oauthClientWithSecret),
      ...refusals(403, 404, 409, 413, 415, 422),
    },
  });
  app.openapi(route, async (c) => {
    const body = c.req.valid('json');
    const registered = await registerClient(c.get('context'), {
      ...toChanges(body),
      name: body.name,
      type: body.type === 'public' ? 'PUBLIC' : 'CONFIDENTIAL',
      preset: body.preset,
      organizationId: body.organization_id,
      idempotencyKey: c.req.valid('header')['Idempotency-Key'],
    });
    return c.json(printClientWithSecret(registered), 201, { Location: `${PATH}/${registered.client.id}` });
  });
}

function addList(app: RestApp, guard: SessionGuard): void {
  const route = createRoute({
    ...common,
    method: 'get',
    path: PATH,
    operationId: 'listClients',
    summary: 'List the clients, newest first',
    middleware: guard(MAY_MANAGE_CLIENTS),
    request: { query: clientQuery },
    responses: { 200: json('A page of clients.', pageSchema(oauthClient)), ...refusals(403, 422) },
  });
  app.openapi(route, async (c) => {
    const query = c.req.valid('query');
    const filter = query.status === undefined ? {} : { status: STATUSES[query.status] };
    return c.json(
      printPage(await listClients(c.get('context'), filter, pageRequest(query)), printClient),
      200,
    );
  });
}

const STATUSES = {
  pending: 'PENDING',
  approved: 'APPROVED',
  rejected: 'REJECTED',
  suspended: 'SUSPENDED',
} as const;

function addGet(app: RestApp, guard: SessionGuard): void {
  const route = createRoute({
    ...common,
    method: 'get',
    path: `${PATH}/{id}`,
    operationId: 'getClient',
    summary: 'Look at a client',
    middleware: guard(MAY_MANAGE_CLIENTS),
    request: { params: parameters },
    responses: { 200: json('The client.', oauthClient), ...refusals(403, 404) },
  });
  app.openapi(route, async (c) => {
    const context = c.get('context');
    return c.json(printClient(await getClient(context, await idOf(context, c.req.valid('param').id))), 200);
  });
}

function addUpdate(app: RestApp, guard: SessionGuard): void {
  const route = createRoute({
    ...common,
    method: 'put',
    path: `${PATH}/{id}`,
    operationId: 'updateClient',
    summary: 'Change the fields that are named; what adds something waits for approval',
    middleware: [guard(MAY_MANAGE_CLIENTS), jsonBody],
    request: {
      params: parameters,
      body: jsonRequest(clientChanges, { required: true, examples: changeExamples }),
    },
    responses: {
      200: json('The client as it is now.', oauthClient),
      ...refusals(403, 404, 409, 413, 415, 422),
    },
  });
  app.openapi(route, async (c) => {
    const context = c.get('context');
    const { expected_version: expectedVersion, organization_id, ...body } = c.req.valid('json');
    requireOwnOrganization(context.viewer, organization_id);
    const id = await idOf(context, c.req.valid('param').id);
    return c.json(printClient(await updateClient(context, id, { ...toChanges(body), expectedVersion })), 200);
  });
}

function addDelete(app: RestApp, guard: SessionGuard): void {
  const route = createRoute({
    ...common,
    method: 'delete',
    path: `${PATH}/{id}`,
    operationId: 'deleteClient',
    summary: 'Delete a client with all that people allowed it; its tokens end at once',
    middleware: guard(MAY_MANAGE_CLIENTS),
    request: { params: parameters },
    responses: { 204: { description: 'It is deleted.' }, ...refusals(403, 404) },
  });
  app.openapi(route, async (c) => {
    const context = c.get('context');
    await deleteClient(context, await idOf(context, c.req.valid('param').id));
    return c.body(null, 204);
  });
}

function addRotateSecret(app: RestApp, guard: SessionGuard): void {
  const route = createRoute({
    ...common,
    method: 'post',
    path: `${PATH}/{id}/rotate-secret`,
    operationId: 'rotateClientSecret',
    summary: 'Give a client a new secret; for the overlap both are good',
    middleware: [guard(MAY_MANAGE_CLIENTS), jsonBody],
    request: {
      params: parameters,
      headers: idempotencyHeaders,
      body: jsonRequest(secretRotation, {
        required: false,
        examples: {
          'one hour': { value: { overlap_seconds: 3_600 } },
          'the secret before ends at once': { value: { overlap_seconds: 0 } },
        },
      }),
    },
    responses: {
      200: json('The client, with its new secret.', oauthClientWithSecret),
      ...refusals(403, 404, 409, 413, 415, 422),
    },
  });
  app.openapi(route, async (c) => {
    const context = c.get('context');
    const rotated = await rotateClientSecret(context, await idOf(context, c.req.valid('param').id), {
      overlapSeconds: c.req.valid('json').overlap_seconds,
      idempotencyKey: c.req.valid('header')['Idempotency-Key'],
    });
    return c.json(printClientWithSecret(rotated), 200);
  });
}

/** The id of the client that is named by either. */
async function idOf(context: ClientContext, named: string): Promise<string> {
  if (isUuid(named)) return named;
  return (await findOwnClient(context, { clientId: named }))?.id ?? named;
}
