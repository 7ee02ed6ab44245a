/** Where OAuth clients are found: those of the organization, and, for admins of the platform, those of all. */
import { OAuthClientStatus } from '../../generated/prisma/client.ts';
import { searchable } from '../../lib/text.ts';
import { MAY_MANAGE_CLIENTS } from '../../oauth/client-context.ts';
import { countOwnClients, findOwnClient, listClients } from '../../oauth/client-registration.ts';
import { access } from '../access.ts';
import type { Builder } from '../builder.ts';
import { pageArguments, parsePage, toConnection } from '../connection.ts';
import { given } from '../mutation.ts';

/** Registers Organization.oauthClients, Query.oauthClient and Query.platformOAuthClients. */
export function addOAuthClientQueries(builder: Builder): void {
  const filter = builder.inputType('OAuthClientFilter', {
    description: 'Which OAuth clients. All conditions have to hold.',
    fields: (t) => ({
      clientId: t.string({ description: 'The one with this client_id.' }),
      status: t.field({ type: OAuthClientStatus, description: 'Those of this status.' }),
      awaitsReview: t.boolean({
        description: 'true: those that an admin of the platform has to decide about; false: the others.',
      }),
    }),
  });
  builder.objectFields('Organization', (t) => ({
    oauthClients: t.field({
      ...access(MAY_MANAGE_CLIENTS),
      description:
        'Its OAuth clients, newest first. For an ADMIN who has signed in; no token is good for it.',
      type: 'OAuthClientConnection',
      args: { filter: t.arg({ type: filter, description: 'Which ones.' }), ...pageArguments(t.arg) },
      resolve: async (_organization, args, { features }) => {
        const { context } = features();
        const page = parsePage(args);
        const wanted = parseFilter(args.filter);
        const clients = await listClients(context, wanted, page);
        return toConnection(
          clients,
          page,
          ({ id }) => id,
          () => countOwnClients(context, wanted),
        );
      },
    }),
  }));
  builder.queryField('platformOAuthClients', (t) =>
    t.field({
      ...access('platform admin'),
      description:
        'The OAuth clients of all organizations, newest first. For an admin of the platform who has signed in.',
      type: 'OAuthClientConnection',
      args: { filter: t.arg({ type: filter, description: 'Which ones.' }), ...pageArguments(t.arg) },
      resolve: async (_root, args, { features }) => {
        const { context, clientReviews } = features();
        const page = parsePage(args);
        const wanted = parseFilter(args.filter);
        const clients = await clientReviews.list(context, wanted, page);
        return toConnection(
          clients,
          page,
          ({ id }) => id,
          () => clientReviews.count(context, wanted),
        );
      },
    }),
  );
  addByClientId(builder);
}

function addByClientId(builder: Builder): void {
  builder.queryField('oauthClient', (t) =>
    t.field({
      ...access(MAY_MANAGE_CLIENTS),
      description: 'An OAuth client of the organization by its client_id; null if there is none.',
      type: 'OAuthClient',
      nullable: true,
      args: { clientId: t.arg.string({ required: true, description: 'Its client_id.' }) },
      resolve: (_root, { clientId }, { features }) => findOwnClient(features().context, { clientId }),
    }),
  );
}

type FilterInput = {
  readonly clientId?: string | null | undefined;
  readonly status?: OAuthClientStatus | null | undefined;
  readonly awaitsReview?: boolean | null | undefined;
};

function parseFilter(filter: FilterInput | null | undefined) {
  const clientId = given(filter?.clientId);
  return {
    clientId: clientId === undefined ? undefined : searchable(clientId),
    status: given(filter?.status),
    awaitsReview: given(filter?.awaitsReview),
  };
}
