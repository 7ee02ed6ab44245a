/** The members of an organization, and who they are. */
import { Role } from '../../generated/prisma/client.ts';
import type { Builder } from '../builder.ts';
import { globalId } from '../global-id.ts';

/** Registers User, Membership and their connection. */
export function addMembership(builder: Builder): void {
  builder.prismaObject('User', {
    description: 'A person.',
    interfaces: [builder.nodeInterfaceRef()],
    fields: (t) => ({
      id: t.id({ description: 'Its global id.', resolve: ({ id }) => globalId('User', id) }),
      name: t.exposeString('name', { description: 'The name.' }),
      email: t.exposeString('email', { description: 'The email address, in lower case.' }),
    }),
  });
  builder.prismaObject('Membership', {
    description: 'A user in an organization.',
    interfaces: [builder.nodeInterfaceRef()],
    fields: (t) => ({
      id: t.id({ description: 'Its global id.', resolve: ({ userId }) => globalId('Membership', userId) }),
      user: t.relation('user', { description: 'The user.' }),
      role: t.expose('role', { type: Role, description: 'What the user is in the organization.' }),
      version: t.exposeInt('version', { description: 'Counts the changes of the role, from 1.' }),
      createdAt: t.expose('createdAt', { type: 'DateTime', description: 'Since when.' }),
    }),
  });
  builder.connectionObject(
    { type: 'Membership', name: 'MembershipConnection', description: 'A page of memberships.' },
    { name: 'MembershipEdge', description: 'A membership in a list.' },
  );
}
