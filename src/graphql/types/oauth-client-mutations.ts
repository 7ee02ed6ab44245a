/** What an ADMIN does with the OAuth clients of the organization. */
import { OAuthClientType } from '../../generated/prisma/client.ts';
import { MAY_MANAGE_CLIENTS } from '../../oauth/client-context.ts';
import type { ClientChanges } from '../../oauth/client-input.ts';
import type { ClientRecord } from '../../oauth/client-record.ts';
import {
  deleteClient,
  type RegisteredClient,
  registerClient,
  resumeClient,
  suspendClient,
  updateClient,
} from '../../oauth/client-registration.ts';
import { access } from '../access.ts';
import type { Builder, InputFields } from '../builder.ts';
import { globalId, localId } from '../global-id.ts';
import {
  DEDUPLICATED,
  expectedVersion,
  given,
  idempotencyKey,
  inWordsOfInput,
  resultOf,
} from '../mutation.ts';
import { ConflictError, ForbiddenError, NotFoundError, ValidationError } from './error.ts';
import type { OAuthClientRefs } from './oauth-client.ts';

const ERRORS = [ValidationError, NotFoundError, ConflictError, ForbiddenError];

/** Registers registerOAuthClient, updateOAuthClient, suspendOAuthClient, resumeOAuthClient and deleteOAuthClient. */
export function addOAuthClientMutations(builder: Builder, refs: OAuthClientRefs): void {
  addRegister(builder, refs);
  addUpdate(builder, refs);
  addSuspend(builder);
  addResume(builder);
  addDelete(builder);
}

function addRegister(builder: Builder, refs: OAuthClientRefs): void {
  const input = builder.inputType('RegisterOAuthClientInput', {
    description: 'An OAuth client to register.',
    fields: (t) => ({
      organizationId: t.id({ description: "The organization it is for; the viewer's if left out." }),
      name: t.string({ required: true, description: 'What people are shown: 1 to 100 characters.' }),
      type: t.field({
        type: OAuthClientType,
        description: 'Whether it can keep a secret; CONFIDENTIAL if left out.',
      }),
      preset: t.field({
        type: refs.presetName,
        description: 'Which LMS it is for: fills in what is left out.',
      }),
      ...settings(t, refs),
      idempotencyKey: idempotencyKey(t),
    }),
  });
  const payload = builder.objectRef<RegisteredClient>('RegisterOAuthClientPayload').implement({
    description: 'The OAuth client that was registered.',
    fields: (t) => ({
      client: t.expose('client', {
        type: 'OAuthClient',
        description: 'The client, which waits for approval.',
      }),
      clientSecret: t.exposeString('clientSecret', {
        nullable: true,
        description: 'Its secret, which is shown here only; null for a public client.',
      }),
      deduplicated: t.exposeBoolean('deduplicated', { description: DEDUPLICATED }),
    }),
  });
  builder.mutationField('registerOAuthClient', (t) =>
    t.field({
      ...access(MAY_MANAGE_CLIENTS),
      description: 'Registers an OAuth client. It can do nothing until an admin of the platform approves it.',
      type: payload,
      errors: resultOf('RegisterOAuthClientResult', ERRORS),
      args: { input: t.arg({ type: input, required: true, description: 'What to register.' }) },
      resolve: (_root, { input: { organizationId, ...client } }, { features }) => {
        const id = given(organizationId);
        const asked = {
          ...toChanges(client),
          name: client.name,
          type: given(client.type),
          preset: given(client.preset),
          organizationId: id === undefined ? undefined : localId('Organization', id),
          idempotencyKey: given(client.idempotencyKey),
        };
        return inWordsOfInput(() => registerClient(features().context, asked));
      },
    }),
  );
}

function addUpdate(builder: Builder, refs: OAuthClientRefs): void {
  const input = builder.inputType('UpdateOAuthClientInput', {
    description: 'Changes of an OAuth client. What is left out stays as it is asked for.',
    fields: (t) => ({
      ...clientId(t),
      expectedVersion: expectedVersion(t),
      name: t.string({ description: 'What people are shown: 1 to 100 characters.' }),
      ...settings(t, refs),
    }),
  });
  builder.mutationField('updateOAuthClient', (t) =>
    t.field({
      ...access(MAY_MANAGE_CLIENTS),
      description:
        'Changes an OAuth client. What takes something away is in force at once; what adds something waits for an admin of the platform, and what was approved goes on meanwhile. A rejected client asks again.',
      type: clientPayload(builder, 'UpdateOAuthClientPayload'),
      errors: resultOf('UpdateOAuthClientResult', ERRORS),
      args: { input: t.arg({ type: input, required: true, description: 'What to change.' }) },
      resolve: (_root, { input: { id, ...client } }, { features }) => {
        const changes = {
          ...toChanges(client),
          name: given(client.name),
          expectedVersion: given(client.expectedVersion),
        };
        return inWordsOfInput(() => updateClient(features().context, localId('OAuthClient', id), changes));
      },
    }),
  );
}

function addSuspend(builder: Builder): void {
  const input = builder.inputType('SuspendOAuthClientInput', {
    description: 'An OAuth client to stop.',
    fields: (t) => ({
      ...clientId(t),
      reason: t.string({ required: true, description: 'Why, for people: 1 to 500 characters.' }),
      expectedVersion: expectedVersion(t),
    }),
  });
  builder.mutationField('suspendOAuthClient', (t) =>
    t.field({
      ...access(MAY_MANAGE_CLIENTS),
      description:
        'Stops an OAuth client at once, until it is resumed. Its tokens end for good; what people allowed it is kept.',
      type: clientPayload(builder, 'SuspendOAuthClientPayload'),
      errors: resultOf('SuspendOAuthClientResult', ERRORS),
      args: { input: t.arg({ type: input, required: true, description: 'Which, and why.' }) },
      resolve: (_root, { input: { id, reason, expectedVersion: version } }, { features }) =>
        inWordsOfInput(() =>
          suspendClient(features().context, localId('OAuthClient', id), {
            reason,
            expectedVersion: given(version),
          }),
        ),
    }),
  );
}

function addResume(builder: Builder): void {
  const input = builder.inputType('ResumeOAuthClientInput', {
    description: 'An OAuth client that is to go on.',
    fields: (t) => ({ ...clientId(t), expectedVersion: expectedVersion(t) }),
  });
  builder.mutationField('resumeOAuthClient', (t) =>
    t.field({
      ...access(MAY_MANAGE_CLIENTS),
      description:
        'Lets an OAuth client go on that the organization suspended. What the platform suspended, it resumes.',
      type: clientPayload(builder, 'ResumeOAuthClientPayload'),
      errors: resultOf('ResumeOAuthClientResult', [NotFoundError, ConflictError, ForbiddenError]),
      args: { input: t.arg({ type: input, required: true, description: 'Which.' }) },
      resolve: (_root, { input: { id, expectedVersion: version } }, { features }) =>
        resumeClient(features().context, localId('OAuthClient', id), given(version)),
    }),
  );
}

function addDelete(builder: Builder): void {
  const input = builder.inputType('DeleteOAuthClientInput', {
    description: 'An OAuth client to delete.',
    fields: (t) => ({ ...clientId(t), expectedVersion: expectedVersion(t) }),
  });
  const payload = builder.objectRef<ClientRecord>('DeleteOAuthClientPayload').implement({
    description: 'What was deleted.',
    fields: (t) => ({
      deletedId: t.id({
        description: 'The global id it had.',
        resolve: ({ id }) => globalId('OAuthClient', id),
      }),
    }),
  });
  builder.mutationField('deleteOAuthClient', (t) =>
    t.field({
      ...access(MAY_MANAGE_CLIENTS),
      description: 'Deletes an OAuth client with all that people allowed it; its tokens end at once.',
      type: payload,
      errors: resultOf('DeleteOAuthClientResult', [NotFoundError, ConflictError, ForbiddenError]),
      args: { input: t.arg({ type: input, required: true, description: 'What to delete.' }) },
      resolve: (_root, { input: { id, expectedVersion: version } }, { features }) =>
        deleteClient(features().context, localId('OAuthClient', id), given(version)),
    }),
  );
}

/** The payload of a mutation that answers the client as it is now. */
export function clientPayload(builder: Builder, name: string) {
  return builder.objectRef<ClientRecord>(name).implement({
    description: 'The OAuth client as it is now.',
    fields: (t) => ({
      client: t.field({ type: 'OAuthClient', description: 'The client.', resolve: (client) => client }),
    }),
  });
}

/** The input field that says which client is meant. */
export function clientId(t: InputFields) {
  return { id: t.id({ required: true, description: 'The global id of the OAuth client.' }) };
}

function settings(t: InputFields, refs: OAuthClientRefs) {
  return {
    redirectUris: t.stringList({
      description: 'Where authorization codes may be sent: at most 20; https, or http on a loopback address.',
    }),
    scopes: t.stringList({ description: 'What its tokens can be good for; "read" at first.' }),
    grantTypes: t.field({
      type: [refs.grantType],
      description: 'The ways in which it gets tokens; AUTHORIZATION_CODE and REFRESH_TOKEN at first.',
    }),
    requiresPkce: t.boolean({
      description: 'false asks for an exemption from PKCE, for a confidential client that cannot send it.',
    }),
    homepageUrl: t.field({ type: 'URL', description: 'Where people read about it; null for nothing.' }),
    policyUrl: t.field({
      type: 'URL',
      description: 'Where people read what it does with data; null for nothing.',
    }),
  };
}

type SettingsInput = {
  readonly redirectUris?: readonly string[] | null | undefined;
  readonly scopes?: readonly string[] | null | undefined;
  readonly grantTypes?: readonly string[] | null | undefined;
  readonly requiresPkce?: boolean | null | undefined;
  readonly homepageUrl?: string | null | undefined;
  readonly policyUrl?: string | null | undefined;
};

/** null empties what can be empty, and means nothing where a value is needed. */
function toChanges(input: SettingsInput): ClientChanges {
  return {
    redirectUris: given(input.redirectUris),
    scopes: given(input.scopes),
    grantTypes: given(input.grantTypes),
    requiresPkce: given(input.requiresPkce),
    homepageUrl: input.homepageUrl,
    policyUrl: input.policyUrl,
  };
}
