/** The viewer: who asks, and what it may. */
import { findUser } from '../../accounts/directory.ts';
import type { MembershipRow } from '../../accounts/session-statements.ts';
import { Role } from '../../generated/prisma/client.ts';
import { access } from '../access.ts';
import type { Builder } from '../builder.ts';
import { globalId } from '../global-id.ts';

/** Registers Viewer and Query.viewer. */
export function addViewer(builder: Builder): void {
  const role = builder.enumType('ViewerRole', {
    description: 'As what the viewer acts.',
    values: {
      ADMIN: { description: 'As an admin of the organization.' },
      EDUCATOR: { description: 'As an educator.' },
      STUDENT: { description: 'As a student.' },
      CLIENT: { description: 'As a client that acts for its organization.' },
      NONE: { description: 'As an admin of the platform who acts for no organization.' },
    },
  });
  const membership = addViewerMembership(builder);
  builder.objectType('Viewer', {
    description: 'Who asks: a person, a client acting for a person, or a client acting for its organization.',
    fields: (t) => ({
      role: t.expose('role', { type: role, description: 'As what it acts.' }),
      organization: t.field({
        description: 'The organization it acts in; null for an admin of the platform who acts for none.',
        type: 'Organization',
        nullable: true,
        resolve: ({ role: actsAs, organizationId }) => (actsAs === 'NONE' ? null : { id: organizationId }),
      }),
      user: t.field({
        description:
          'The person, as a member; null when a client acts for its organization, or the person for none.',
        type: 'User',
        nullable: true,
        resolve: (viewer, _args, { features }) =>
          viewer.userId === null || viewer.role === 'NONE'
            ? null
            : findUser(features().context, viewer.userId),
      }),
      clientId: t.exposeString('clientId', {
        description: 'The client_id of the client that acts; null in a session.',
        nullable: true,
      }),
      scopes: t.stringList({
        description: 'What its token is good for; null in a session, which only the role bounds.',
        nullable: true,
        resolve: ({ scopes }) => (scopes === null ? null : [...scopes]),
      }),
      expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'When its token or session ends.' }),
      isPlatformAdmin: t.boolean({
        description: 'Whether it is a person who has signed in and who runs the platform.',
        resolve: ({ session }) => session?.isPlatformAdmin === true,
      }),
      memberships: t.field({
        description: 'Where the person is a member, by the name of the organization; null for a token.',
        type: [membership],
        nullable: true,
        resolve: async (viewer, _args, { features }) =>
          viewer.session === undefined ? null : [...(await features().ownSessions.memberships(viewer))],
      }),
      sessions: t.field({
        description: 'Where the person is signed in, newest first; null for a token.',
        type: ['Session'],
        nullable: true,
        resolve: async (viewer, _args, { features }) =>
          viewer.session === undefined ? null : [...(await features().ownSessions.list(viewer))],
      }),
    }),
  });
  builder.queryField('viewer', (t) =>
    t.field({
      ...access('anyone'),
      description: 'Who asks; null without credentials.',
      type: 'Viewer',
      nullable: true,
      resolve: (_root, _args, { viewer }) => viewer,
    }),
  );
}

/** Not the `Membership` of an organization's list: the viewer sees its other organizations by name alone. */
function addViewerMembership(builder: Builder) {
  return builder.objectRef<MembershipRow>('ViewerMembership').implement({
    description:
      'An organization that the viewer is a member of. To act for another one: switch at /account.',
    fields: (t) => ({
      organizationId: t.id({
        description: 'The global id of the organization.',
        resolve: ({ organizationId }) => globalId('Organization', organizationId),
      }),
      organizationName: t.exposeString('organizationName', { description: 'Its name.' }),
      role: t.expose('role', { type: Role, description: 'What the person is there.' }),
    }),
  });
}
