/** The apps that the viewer has connected, and to disconnect one. */
import { requireSession } from '../../accounts/viewer.ts';
import { access } from '../access.ts';
import type { Builder } from '../builder.ts';
import { globalId, localId } from '../global-id.ts';
import { resultOf } from '../mutation.ts';
import { ForbiddenError, NotFoundError } from './error.ts';

/** Registers ConnectedApp, Viewer.connectedApps and Mutation.revokeConnectedApp. */
export function addConnectedApp(builder: Builder): void {
  builder.objectType('ConnectedApp', {
    description: 'An app that the viewer allowed to act in its name. Nobody sees but the own ones.',
    interfaces: [builder.nodeInterfaceRef()],
    fields: (t) => ({
      id: t.id({ description: 'Its global id.', resolve: ({ id }) => globalId('ConnectedApp', id) }),
      clientId: t.exposeString('clientId', { description: 'The client_id of the app.' }),
      name: t.exposeString('name', { description: 'What the app calls itself.' }),
      homepageUrl: t.expose('homepageUrl', {
        type: 'URL',
        nullable: true,
        description: 'Where the app is at home; null if it did not say.',
      }),
      organizationId: t.id({
        description: 'The global id of the organization that the app is of, and for which it acts.',
        resolve: ({ organizationId }) => globalId('Organization', organizationId),
      }),
      organizationName: t.exposeString('organizationName', { description: 'The name of that organization.' }),
      scopes: t.stringList({
        description: 'What was allowed.',
        resolve: ({ scopes }) => [...scopes],
      }),
      createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was first allowed.' }),
      lastUsedAt: t.expose('lastUsedAt', {
        type: 'DateTime',
        nullable: true,
        description: 'When it last fetched a token, which it does about hourly; null: never yet.',
      }),
    }),
  });
  builder.objectField('Viewer', 'connectedApps', (t) =>
    t.field({
      description: 'The apps that the person allowed to act in its name, newest first; null for a token.',
      type: ['ConnectedApp'],
      nullable: true,
      resolve: async ({ session, userId }, _args, { features }) =>
        session === undefined || userId === null ? null : [...(await features().connectedApps.list(userId))],
    }),
  );
  addRevoke(builder);
}

function addRevoke(builder: Builder): void {
  const input = builder.inputType('RevokeConnectedAppInput', {
    description: 'Which app to disconnect.',
    fields: (t) => ({
      connectedAppId: t.id({
        required: true,
        description: 'The global id of one of the own connected apps.',
      }),
    }),
  });
  const payload = builder
    .objectRef<{ readonly connectedAppId: string }>('RevokeConnectedAppPayload')
    .implement({
      description: 'The app that was disconnected.',
      fields: (t) => ({
        connectedAppId: t.exposeID('connectedAppId', { description: 'The global id that it had.' }),
      }),
    });
  builder.mutationField('revokeConnectedApp', (t) =>
    t.field({
      ...access('session'),
      description: 'Disconnects an app: whatever it holds for the viewer is good for nothing at once.',
      type: payload,
      args: { input: t.arg({ type: input, required: true, description: 'Which app.' }) },
      errors: resultOf('RevokeConnectedAppResult', [NotFoundError, ForbiddenError]),
      resolve: async (_root, { input: { connectedAppId } }, { features }) => {
        const { connectedApps, context } = features();
        const { userId } = requireSession(context.viewer);
        await connectedApps.revoke(
          { userId, source: context.source },
          localId('ConnectedApp', connectedAppId),
        );
        return { connectedAppId };
      },
    }),
  );
}
