/** What the members of an organization allow clients, for its admins. */
import {
  countConsents,
  listConsents,
  MAY_MANAGE_CONSENTS,
  revokeConsent,
  revokeConsentsOfClient,
} from '../../oauth/consent.ts';
import { access } from '../access.ts';
import type { Builder } from '../builder.ts';
import { pageArguments, parsePage, toConnection } from '../connection.ts';
import { globalId, localId } from '../global-id.ts';
import { given, resultOf } from '../mutation.ts';
import { ForbiddenError, NotFoundError } from './error.ts';

/** Registers OAuthConsent, Organization.oauthConsents, revokeOAuthConsent and revokeOAuthConsents. */
export function addConsent(builder: Builder): void {
  builder.objectType('OAuthConsent', {
    description:
      'What one member allows one OAuth client. All tokens that the client holds for the member rest on it.',
    interfaces: [builder.nodeInterfaceRef()],
    fields: (t) => ({
      id: t.id({ description: 'Its global id.', resolve: ({ id }) => globalId('OAuthConsent', id) }),
      clientId: t.exposeString('clientId', { description: 'The client_id of the client.' }),
      clientName: t.exposeString('clientName', { description: 'What the client calls itself.' }),
      userId: t.id({
        description: 'The global id of the member.',
        resolve: ({ userId }) => globalId('User', userId),
      }),
      userName: t.exposeString('userName', { description: 'The name of the member.' }),
      userEmail: t.exposeString('userEmail', { description: 'The email address of the member.' }),
      scopes: t.stringList({ description: 'What was allowed.', resolve: ({ scopes }) => [...scopes] }),
      createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was first allowed.' }),
      updatedAt: t.expose('updatedAt', {
        type: 'DateTime',
        description: 'When the client was last sent through the authorization endpoint.',
      }),
      lastUsedAt: t.expose('lastUsedAt', {
        type: 'DateTime',
        nullable: true,
        description:
          'When the client last fetched a token for it, which it does about hourly; null: never yet.',
      }),
    }),
  });
  builder.connectionObject(
    { type: 'OAuthConsent', name: 'OAuthConsentConnection', description: 'A page of consents.' },
    { name: 'OAuthConsentEdge', description: 'A consent in a list.' },
  );
  addConsents(builder);
  addRevoke(builder);
  addRevokeAll(builder);
}

function addConsents(builder: Builder): void {
  const filter = builder.inputType('OAuthConsentFilter', {
    description: 'Which consents. All conditions have to hold.',
    fields: (t) => ({
      clientId: t.string({ description: 'Those that were given to the client with this client_id.' }),
      userId: t.id({ description: 'Those of the member with this global id.' }),
    }),
  });
  builder.objectFields('Organization', (t) => ({
    oauthConsents: t.field({
      ...access(MAY_MANAGE_CONSENTS),
      description: 'What its members allow OAuth clients, newest first.',
      type: 'OAuthConsentConnection',
      args: { filter: t.arg({ type: filter, description: 'Which ones.' }), ...pageArguments(t.arg) },
      resolve: async (_organization, args, { features }) => {
        const { context } = features();
        const page = parsePage(args);
        const userId = given(args.filter?.userId);
        const wanted = {
          clientId: given(args.filter?.clientId),
          userId: userId === undefined ? undefined : localId('User', userId),
        };
        return toConnection(
          await listConsents(context, wanted, page),
          page,
          ({ id }) => id,
          () => countConsents(context, wanted),
        );
      },
    }),
  }));
}

function addRevoke(builder: Builder): void {
  const input = builder.inputType('RevokeOAuthConsentInput', {
    description: 'Which consent to take back.',
    fields: (t) => ({ consentId: t.id({ required: true, description: 'The global id of the consent.' }) }),
  });
  const payload = builder.objectRef<{ readonly consentId: string }>('RevokeOAuthConsentPayload').implement({
    description: 'The consent that was taken back.',
    fields: (t) => ({ consentId: t.exposeID('consentId', { description: 'The global id that it had.' }) }),
  });
  builder.mutationField('revokeOAuthConsent', (t) =>
    t.field({
      ...access(MAY_MANAGE_CONSENTS),
      description:
        'Takes back what one member allowed one client: all tokens that the client holds for the member end at once.',
      type: payload,
      args: { input: t.arg({ type: input, required: true, description: 'Which consent.' }) },
      errors: resultOf('RevokeOAuthConsentResult', [NotFoundError, ForbiddenError]),
      resolve: async (_root, { input: { consentId } }, { features }) => {
        await revokeConsent(features().context, localId('OAuthConsent', consentId));
        return { consentId };
      },
    }),
  );
}

function addRevokeAll(builder: Builder): void {
  const input = builder.inputType('RevokeOAuthConsentsInput', {
    description: 'Which consents to take back.',
    fields: (t) => ({
      clientId: t.string({
        required: true,
        description: 'The client_id of the client that they were given to.',
      }),
    }),
  });
  const payload = builder.objectRef<{ readonly count: number }>('RevokeOAuthConsentsPayload').implement({
    description: 'The consents were taken back.',
    fields: (t) => ({ count: t.exposeInt('count', { description: 'Of how many members.' }) }),
  });
  builder.mutationField('revokeOAuthConsents', (t) =>
    t.field({
      ...access(MAY_MANAGE_CONSENTS),
      description:
        'Takes back what all members allowed one client: all tokens that the client holds for members end at once. It may be allowed anew.',
      type: payload,
      args: { input: t.arg({ type: input, required: true, description: 'Which consents.' }) },
      errors: resultOf('RevokeOAuthConsentsResult', [NotFoundError, ForbiddenError]),
      resolve: async (_root, { input: { clientId } }, { features }) => ({
        count: await revokeConsentsOfClient(features().context, clientId),
      }),
    }),
  );
}
