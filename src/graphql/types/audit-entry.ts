/** An entry of the audit log: who did what that matters for security, from where, and what it changed. */
import { z } from 'zod';
import { AUDIT_ACTIONS } from '../../audit/action.ts';
import { AuditActorKind, type AuditEntry } from '../../generated/prisma/client.ts';
import type { Builder } from '../builder.ts';
import { globalId, NODE_TYPES } from '../global-id.ts';

/** Registers AuditEntry with its parts, and its connection. */
export function addAuditEntry(builder: Builder): void {
  builder.enumType(AuditActorKind, {
    name: 'AuditActorKind',
    description: 'What kind of actor did it.',
    values: {
      USER: { description: 'A person, in person or through a client.' },
      CLIENT: { description: 'An OAuth client that acts for its organization.' },
      ANONYMOUS: { description: 'Somebody who did not prove to be anybody.' },
      OPERATOR: { description: 'Whoever runs the server, by its settings.' },
      SYSTEM: { description: 'The server by itself.' },
    },
  });
  const [actor, target, change] = [addActor(builder), addTarget(builder), addChange(builder)];
  builder.prismaObject('AuditEntry', {
    description: 'Something that somebody did. It never changes.',
    interfaces: [builder.nodeInterfaceRef()],
    fields: (t) => ({
      id: t.id({ description: 'Its global id.', resolve: ({ id }) => globalId('AuditEntry', id) }),
      at: t.expose('at', { type: 'DateTime', description: 'When it was done.' }),
      action: t.exposeString('action', {
        description: 'What was done: a name of `auditActions`, such as webhook_subscription.created.',
      }),
      description: t.string({ description: 'The action in a sentence.', resolve: describeAction }),
      actor: t.field({ type: actor, description: 'Who did it.', resolve: (entry) => entry }),
      target: t.field({
        type: target,
        nullable: true,
        description: 'What it was done to.',
        resolve: (entry) => (entry.targetId === null ? null : entry),
      }),
      changes: t.field({
        type: [change],
        description: 'What it changed, or what something new begins with. Nothing secret.',
        resolve: ({ changes }) => listChanges(changes),
      }),
      occurrences: t.exposeInt('occurrences', {
        description: 'How often it happened: refused attempts that follow each other are told together.',
      }),
      address: t.exposeString('address', {
        nullable: true,
        description: 'The address it was done from; null if nobody knows.',
      }),
      userAgent: t.exposeString('userAgent', {
        nullable: true,
        description: 'What the program called itself that it was done with.',
      }),
      requestId: t.exposeString('requestId', {
        nullable: true,
        description: 'The request it was done by, as the log of the server names it.',
      }),
    }),
  });
  builder.connectionObject(
    { type: 'AuditEntry', name: 'AuditEntryConnection', description: 'A page of the audit log.' },
    { name: 'AuditEntryEdge', description: 'An entry in a list.' },
  );
}

/** An action of a later version is told by its name. */
function describeAction({ action }: AuditEntry): string {
  return AUDIT_ACTIONS.find(({ name }) => name === action)?.description ?? action;
}

function addActor(builder: Builder) {
  return builder.objectRef<AuditEntry>('AuditActor').implement({
    description: 'Who did it.',
    fields: (t) => ({
      kind: t.expose('actorKind', { type: AuditActorKind, description: 'What kind of actor it is.' }),
      id: t.id({
        nullable: true,
        description: 'The global id of the user, or the client_id of the client; null for others.',
        resolve: ({ actorKind, actorId }) =>
          actorKind === 'USER' && actorId !== null ? globalId('User', actorId) : actorId,
      }),
      label: t.exposeString('actorLabel', {
        nullable: true,
        description: 'What it was called then: the email address of a user, the name of a client.',
      }),
      clientId: t.exposeString('clientId', {
        nullable: true,
        description:
          'The client_id of the client that acted for the user; null if the user did it in person.',
      }),
    }),
  });
}

function addTarget(builder: Builder) {
  return builder.objectRef<AuditEntry>('AuditTarget').implement({
    description: 'What it was done to. It may be gone by now.',
    fields: (t) => ({
      type: t.string({
        description: 'What it is, such as WebhookSubscription.',
        resolve: ({ targetType }) => targetType ?? '',
      }),
      id: t.id({
        description: 'Its global id; for what has none, the id it has.',
        resolve: ({ targetType, targetId }) => {
          const type = NODE_TYPES.find((name) => name === targetType);
          return type === undefined ? (targetId ?? '') : globalId(type, targetId ?? '');
        },
      }),
      label: t.exposeString('targetLabel', { nullable: true, description: 'What it was called then.' }),
    }),
  });
}

type Change = { readonly field: string; readonly from: unknown; readonly to: unknown };

function addChange(builder: Builder) {
  return builder.objectRef<Change>('AuditChange').implement({
    description: 'One field that has another value than before.',
    fields: (t) => ({
      field: t.exposeString('field', { description: 'Its name, in snake_case.' }),
      from: t.expose('from', { type: 'JSON', nullable: true, description: 'Its value before.' }),
      to: t.expose('to', { type: 'JSON', nullable: true, description: 'Its value after.' }),
    }),
  });
}

const CHANGES = z.record(z.string(), z.object({ from: z.unknown(), to: z.unknown() }));

function listChanges(stored: unknown): Change[] {
  return Object.entries(CHANGES.parse(stored)).map(([field, { from, to }]) => ({ field, from, to }));
}
