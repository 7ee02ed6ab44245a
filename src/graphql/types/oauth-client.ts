/** OAuth clients: what is in force, what waits, and which secrets are valid. */
import { isScope, SCOPES } from '../../accounts/scope.ts';
import { OAuthClientStatus, OAuthClientType } from '../../generated/prisma/client.ts';
import { CLIENT_PRESETS, type ClientPreset, findPreset } from '../../oauth/client-preset.ts';
import type { ClientRecord, ClientSecretInfo } from '../../oauth/client-record.ts';
import type { ClientSettings } from '../../oauth/client-settings.ts';
import { access } from '../access.ts';
import type { Builder } from '../builder.ts';
import { globalId } from '../global-id.ts';

/** Registers OAuthClient, its connection, what it is made of, and Query.oauthClientPresets. */
export function addOAuthClient(builder: Builder): OAuthClientRefs {
  const refs = addEnums(builder);
  const secret = addSecret(builder);
  const request = addRequest(builder, refs);
  builder.objectType('OAuthClient', {
    description:
      'A program that asks for access tokens: an LMS, for example. It belongs to one organization.',
    interfaces: [builder.nodeInterfaceRef()],
    fields: (t) => ({
      id: t.id({ description: 'Its global id.', resolve: ({ id }) => globalId('OAuthClient', id) }),
      clientId: t.exposeString('clientId', { description: 'Its client_id in OAuth.' }),
      name: t.exposeString('name', { description: 'What people are shown who are asked to allow it.' }),
      organizationId: t.id({
        description: 'The global id of the organization that it belongs to.',
        resolve: ({ organizationId }) => globalId('Organization', organizationId),
      }),
      organizationName: t.exposeString('organizationName', { description: 'The name of that organization.' }),
      type: t.expose('type', { type: OAuthClientType, description: 'Whether it can keep a secret.' }),
      preset: t.field({
        type: refs.presetName,
        description: 'Which LMS it is for.',
        resolve: ({ preset }) => findPreset(preset)?.name ?? 'generic',
      }),
      status: t.expose('status', { type: OAuthClientStatus, description: 'Whether it can do anything.' }),
      statusReason: t.exposeString('statusReason', {
        nullable: true,
        description: 'Why it was rejected or suspended, or why what it asked for last was declined.',
      }),
      isSuspendedByPlatform: t.exposeBoolean('isSuspendedByPlatform', {
        description: 'Whether it is suspended by an admin of the platform, who alone can resume it.',
      }),
      homepageUrl: t.expose('homepageUrl', {
        type: 'URL',
        nullable: true,
        description: 'Where people read about it.',
      }),
      policyUrl: t.expose('policyUrl', {
        type: 'URL',
        nullable: true,
        description: 'Where people read what it does with their data.',
      }),
      scopes: t.field({
        type: ['Scope'],
        description: 'In force: what its tokens can be good for.',
        resolve: ({ inForce }) => scopesOf(inForce),
      }),
      redirectUris: t.stringList({
        description: 'In force: where authorization codes may be sent.',
        resolve: ({ inForce }) => [...inForce.redirectUris],
      }),
      grantTypes: t.field({
        type: [refs.grantType],
        description: 'In force: the ways in which it gets tokens.',
        resolve: ({ inForce }) => grantTypesOf(inForce),
      }),
      requiresPkce: t.boolean({
        description: 'In force: whether it has to send a code_challenge (PKCE).',
        resolve: ({ inForce }) => inForce.requiresPkce,
      }),
      request: t.field({
        type: request,
        nullable: true,
        description:
          'What it is to be as soon as an admin of the platform approves it; until then what is in force stays. Null: nothing waits.',
        resolve: (client) => client.request,
      }),
      secrets: t.field({
        type: [secret],
        description:
          'The secrets that are valid, newest first: two at most. What they are, nobody can see any more.',
        resolve: ({ secrets }) => [...secrets],
      }),
      version: t.exposeInt('version', {
        description: 'Counts its changes, from 1; give it as `expectedVersion`.',
      }),
      createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was registered.' }),
      updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When it last changed.' }),
    }),
  });
  builder.connectionObject(
    { type: 'OAuthClient', name: 'OAuthClientConnection', description: 'A page of OAuth clients.' },
    { name: 'OAuthClientEdge', description: 'An OAuth client in a list.' },
  );
  addPresets(builder, refs);
  return refs;
}

export type OAuthClientRefs = ReturnType<typeof addEnums>;

function addEnums(builder: Builder) {
  builder.enumType(OAuthClientStatus, {
    name: 'OAuthClientStatus',
    description: 'Whether an OAuth client can do anything.',
    values: {
      PENDING: { description: 'Waits for an admin of the platform.' },
      APPROVED: { description: 'Works, as far as it is in force.' },
      REJECTED: { description: 'Was rejected; it can be changed and so asks again.' },
      SUSPENDED: { description: 'Stopped until it is resumed; its tokens have ended.' },
    },
  });
  builder.enumType(OAuthClientType, {
    name: 'OAuthClientType',
    description: 'Whether an OAuth client can keep a secret (RFC 6749 2.1).',
    values: {
      CONFIDENTIAL: { description: 'It can: a server.' },
      PUBLIC: { description: "It cannot: an app on a person's device, or a page. It always needs PKCE." },
    },
  });
  const grantType = builder.enumType('OAuthGrantType', {
    description: 'A way in which an OAuth client gets tokens (RFC 6749).',
    values: {
      AUTHORIZATION_CODE: { value: 'authorization_code', description: 'People allow it to act for them.' },
      REFRESH_TOKEN: { value: 'refresh_token', description: 'It goes on while they are away.' },
      CLIENT_CREDENTIALS: { value: 'client_credentials', description: 'It acts for its organization.' },
    },
  });
  const presetName = builder.enumType('OAuthClientPresetName', {
    description: 'An LMS that OAuth clients are registered for.',
    values: {
      CANVAS: { value: 'canvas', description: 'Canvas.' },
      MOODLE: { value: 'moodle', description: 'Moodle.' },
      BLACKBOARD: { value: 'blackboard', description: 'Blackboard.' },
      SCHOOLOGY: { value: 'schoology', description: 'Schoology.' },
      GOOGLE_CLASSROOM: { value: 'google_classroom', description: 'Google Classroom.' },
      GENERIC: { value: 'generic', description: 'Anything else that speaks OAuth 2.0.' },
    },
  });
  return { grantType, presetName };
}

function addSecret(builder: Builder) {
  return builder.objectRef<ClientSecretInfo>('OAuthClientSecret').implement({
    description:
      'A secret by which an OAuth client proves itself. It is shown once, when it is made, and never again.',
    fields: (t) => ({
      createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
      expiresAt: t.expose('expiresAt', {
        type: 'DateTime',
        nullable: true,
        description: 'When it ends being good, after a rotation; null for the newest.',
      }),
    }),
  });
}

function addRequest(builder: Builder, { grantType }: OAuthClientRefs) {
  return builder.objectRef<NonNullable<ClientRecord['request']>>('OAuthClientRequest').implement({
    description: 'What an OAuth client is to be, as a whole, once it is approved.',
    fields: (t) => ({
      requestedAt: t.expose('requestedAt', { type: 'DateTime', description: 'When it was asked for.' }),
      scopes: t.field({
        type: ['Scope'],
        description: 'What its tokens could be good for.',
        resolve: scopesOf,
      }),
      redirectUris: t.stringList({
        description: 'Where authorization codes could be sent.',
        resolve: ({ redirectUris }) => [...redirectUris],
      }),
      grantTypes: t.field({
        type: [grantType],
        description: 'The ways in which it could get tokens.',
        resolve: grantTypesOf,
      }),
      requiresPkce: t.exposeBoolean('requiresPkce', {
        description: 'Whether it has to send a code_challenge (PKCE). false: an exemption is asked for.',
      }),
    }),
  });
}

function addPresets(builder: Builder, { grantType, presetName }: OAuthClientRefs): void {
  const preset = builder.objectRef<ClientPreset>('OAuthClientPreset').implement({
    description:
      'What an LMS needs of an OAuth client, as a beginning: it fills in what is left out at registration.',
    fields: (t) => ({
      name: t.expose('name', { type: presetName, description: 'Its name, to be given at registration.' }),
      label: t.exposeString('label', { description: 'What people call it.' }),
      grantTypes: t.field({
        type: [grantType],
        description: 'The grants that it fills in.',
        resolve: ({ grantTypes }) => grantTypesOf({ grantTypes }),
      }),
      requiresPkce: t.exposeBoolean('requiresPkce', {
        description: 'Whether it can send PKCE, and so has to.',
      }),
      redirectUriExample: t.exposeString('redirectUriExample', {
        description: 'How its redirect URI looks.',
      }),
      hint: t.exposeString('hint', { description: 'What to know when it is set up.' }),
    }),
  });
  builder.queryField('oauthClientPresets', (t) =>
    t.field({
      ...access('anyone'),
      description: 'The LMSs that registration knows.',
      type: [preset],
      resolve: () => [...CLIENT_PRESETS],
    }),
  );
}

function scopesOf({ scopes }: Pick<ClientSettings, 'scopes'>) {
  return SCOPES.filter(({ name }) => scopes.includes(name) && isScope(name));
}

type GrantType = 'authorization_code' | 'refresh_token' | 'client_credentials';

function grantTypesOf({ grantTypes }: Pick<ClientSettings, 'grantTypes'>): GrantType[] {
  const known = ['authorization_code', 'refresh_token', 'client_credentials'] as const;
  return known.filter((grant) => grantTypes.includes(grant));
}
