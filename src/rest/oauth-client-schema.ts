/** How the REST door writes OAuth clients. */
import { z } from '@hono/zod-openapi';
import { type ClientChanges, GRANT_TYPES } from '../oauth/client-input.ts';
import { CLIENT_PRESETS } from '../oauth/client-preset.ts';
import type { ClientRecord } from '../oauth/client-record.ts';
import type { RegisteredClient } from '../oauth/client-registration.ts';
import { DEFAULT_OVERLAP_SECONDS } from '../oauth/client-secret.ts';
import type { ClientSettings } from '../oauth/client-settings.ts';
import {
  deduplicated,
  EXAMPLE_IDS,
  organizationId,
  pageParameters,
  shownId,
  shownTime,
} from './parameters.ts';

const REDIRECT_URI = 'https://lms.example/oauth/callback';
const types = z.enum(['confidential', 'public']);
const statuses = z.enum(['pending', 'approved', 'rejected', 'suspended']);
const list = z.array(z.string()).max(100);

// What fits, the feature says: it names every fault at once.
const changeable = {
  name: z.string().openapi({ description: 'What people are shown.', example: 'Gradebook' }),
  redirect_uris: list.openapi({
    description: 'At most 20; https, or http on a loopback address.',
    example: [REDIRECT_URI],
  }),
  scopes: list.openapi({ description: '`read` at first.', example: ['read:quests', 'read:grades'] }),
  grant_types: list.openapi({
    description: `Of ${GRANT_TYPES.join(', ')}.`,
    example: ['authorization_code', 'refresh_token'],
  }),
  requires_pkce: z
    .boolean()
    .openapi({ description: 'false asks for an exemption from PKCE.', example: true }),
  homepage_url: z.string().nullable().openapi({ format: 'uri', example: 'https://lms.example/' }),
  policy_url: z.string().nullable().openapi({ format: 'uri', example: 'https://lms.example/privacy' }),
};

const { name, ...settings } = changeable;

export const newClient = z
  .strictObject({
    name,
    ...z.object(settings).partial().shape,
    type: types.optional().openapi({ description: '`confidential` if left out.' }),
    preset: z
      .enum(CLIENT_PRESETS.map((preset) => preset.name))
      .optional()
      .openapi({ description: 'Which LMS it is for: fills in what is left out.' }),
    organization_id: organizationId,
  })
  .openapi('NewOAuthClient');

export const clientChanges = z
  .strictObject({
    ...z.object(changeable).partial().shape,
    expected_version: z
      .int()
      .optional()
      .openapi({ description: 'Another version by now is 409, and nothing is changed.' }),
    organization_id: organizationId,
  })
  .openapi('OAuthClientChanges');

export const secretRotation = z
  .strictObject({
    overlap_seconds: z.int().optional().openapi({
      description: 'How long the secret before stays good: 0 to 2,592,000.',
      default: DEFAULT_OVERLAP_SECONDS,
      example: 3_600,
    }),
  })
  .openapi('ClientSecretRotation');

export const clientQuery = z.object({
  ...pageParameters,
  status: statuses.optional().openapi({ example: 'approved' }),
});

const shownSettings = {
  redirect_uris: z.array(z.string()).openapi({ example: [REDIRECT_URI] }),
  scopes: z.array(z.string()).openapi({ example: ['read:quests'] }),
  grant_types: z.array(z.string()).openapi({ example: ['authorization_code', 'refresh_token'] }),
  requires_pkce: z.boolean(),
};

export const oauthClient = z
  .object({
    id: shownId.openapi({ example: EXAMPLE_IDS.client }),
    client_id: z.string().openapi({ example: 'kT3mWq8ZrY1pLc5XvB7n' }),
    organization_id: shownId,
    name,
    type: types,
    preset: z.string().openapi({ example: 'canvas' }),
    status: statuses,
    status_reason: z.string().nullable().openapi({ description: 'Why it was rejected or suspended.' }),
    ...shownSettings,
    requested: z
      .object({ ...shownSettings, requested_at: shownTime })
      .nullable()
      .openapi({
        description:
          'What it is to be once it is approved; what stands beside it is in force. Null: nothing waits.',
      }),
    homepage_url: z.string().nullable(),
    policy_url: z.string().nullable(),
    secrets: z
      .array(z.object({ created_at: shownTime, expires_at: shownTime.nullable() }))
      .openapi({ description: 'The valid ones, newest first; nobody can see what they are.' }),
    version: z.int(),
    created_at: shownTime,
    updated_at: shownTime,
  })
  .openapi('OAuthClient');

export const oauthClientWithSecret = oauthClient
  .extend({
    client_secret: z
      .string()
      .nullable()
      .openapi({ description: 'Shown here only; null for a public client.' }),
    deduplicated,
  })
  .openapi('OAuthClientWithSecret');

/** What the feature is told, from the fields that are named. */
export function toChanges(
  body: Omit<z.infer<typeof clientChanges>, 'expected_version' | 'organization_id'>,
): ClientChanges {
  return {
    name: body.name,
    redirectUris: body.redirect_uris,
    scopes: body.scopes,
    grantTypes: body.grant_types,
    requiresPkce: body.requires_pkce,
    homepageUrl: body.homepage_url,
    policyUrl: body.policy_url,
  };
}

/** A client as it is printed. */
export function printClient(client: ClientRecord): z.infer<typeof oauthClient> {
  const { request } = client;
  return {
    id: client.id,
    client_id: client.clientId,
    organization_id: client.organizationId,
    name: client.name,
    type: lower(client.type),
    preset: client.preset,
    status: lower(client.status),
    status_reason: client.statusReason,
    ...printSettings(client.inForce),
    requested:
      request === null
        ? null
        : { ...printSettings(request), requested_at: request.requestedAt.toISOString() },
    homepage_url: client.homepageUrl,
    policy_url: client.policyUrl,
    secrets: client.secrets.map(({ createdAt, expiresAt }) => ({
      created_at: createdAt.toISOString(),
      expires_at: expiresAt?.toISOString() ?? null,
    })),
    version: client.version,
    created_at: client.createdAt.toISOString(),
    updated_at: client.updatedAt.toISOString(),
  };
}

/** The same, where a secret was made just now. */
export function printClientWithSecret(
  made: Pick<RegisteredClient, 'client' | 'clientSecret' | 'deduplicated'>,
): z.infer<typeof oauthClientWithSecret> {
  return { ...printClient(made.client), client_secret: made.clientSecret, deduplicated: made.deduplicated };
}

function printSettings({ redirectUris, scopes, grantTypes, requiresPkce }: ClientSettings) {
  return {
    redirect_uris: [...redirectUris],
    scopes: [...scopes],
    grant_types: [...grantTypes],
    requires_pkce: requiresPkce,
  };
}

function lower<T extends string>(word: T): Lowercase<T> {
  return word.toLowerCase() as Lowercase<T>; // As the method does.
}
