/** Anything by its global id. */
import { brandWithType } from '@pothos/core';
import { z } from 'zod';
import { findMembership, findUser } from '../../accounts/directory.ts';
import { findInvitation } from '../../accounts/invitation-list.ts';
import { isPlatformAdmin } from '../../accounts/platform-admin.ts';
import { requireSession } from '../../accounts/viewer.ts';
import { findEntry } from '../../audit/list.ts';
import { findOwnClient } from '../../oauth/client-registration.ts';
import { findConsent } from '../../oauth/consent.ts';
import { access } from '../access.ts';
import type { Builder, Types } from '../builder.ts';
import { MAX_SIZE } from '../connection.ts';
import type { Features } from '../context.ts';
import { type NodeKey, type NodeType, parseGlobalId } from '../global-id.ts';

/** Registers Query.node and Query.nodes. What each type asks of its viewer, its feature decides. */
export function addNode(builder: Builder): void {
  const node = builder.nodeInterfaceRef();
  builder.queryField('node', (t) =>
    t.field({
      ...access('signed in'),
      description: 'Anything by its global id; null if it does not exist for the viewer.',
      type: node,
      nullable: true,
      args: { id: t.arg.id({ required: true, description: 'The global id.' }) },
      resolve: (_root, { id }, { features }) => loadNode(features(), parseGlobalId(id)),
    }),
  );
  builder.queryField('nodes', (t) =>
    t.field({
      ...access('signed in'),
      description:
        'Several things by their global ids, in the same order; null for each that does not exist.',
      type: [node],
      nullable: { list: false, items: true },
      args: {
        ids: t.arg.idList({
          required: true,
          description: `The global ids, at most ${MAX_SIZE}.`,
          validate: z.array(z.string()).max(MAX_SIZE, `Expected at most ${MAX_SIZE} ids.`),
        }),
      },
      resolve: (_root, { ids }, { features }) => ids.map((id) => loadNode(features(), parseGlobalId(id))),
    }),
  );
}

type Node = object | null | undefined;
type Load = (features: Features, id: string) => Node | Promise<Node>;

const LOAD: Readonly<Record<NodeType, Load>> = {
  AuditEntry: ({ context }, id) => findEntry(context, id),
  Badge: ({ loaders }, id) => loaders.badge(id),
  ConnectedApp: async ({ connectedApps, context: { viewer } }, id) =>
    (await connectedApps.list(requireSession(viewer).userId)).find((app) => app.id === id),
  Delivery: ({ loaders }, id) => loaders.delivery(id),
  DeliveryAttempt: ({ loaders }, id) => loaders.attempt(id),
  Enrolment: ({ loaders }, id) => loaders.enrolment(id),
  Event: ({ loaders }, id) => loaders.event(id),
  Invitation: ({ context }, id) => findInvitation(context, id),
  Learner: ({ loaders }, id) => loaders.learner(id),
  Membership: ({ context }, id) => findMembership(context, id),
  OAuthConsent: ({ context }, id) => findConsent(context, id),
  OAuthClient: ({ context, clientReviews }, id) =>
    isPlatformAdmin(context.viewer) ? clientReviews.find(context, { id }) : findOwnClient(context, { id }),
  Organization: async ({ context: { viewer } }, id) =>
    viewer.role === 'NONE' || viewer.organizationId !== id ? null : { id },
  Quest: ({ loaders }, id) => loaders.quest(id),
  Replay: ({ loaders }, id) => loaders.replay(id),
  Session: async ({ context, ownSessions }, id) =>
    (await ownSessions.list(context.viewer)).find((session) => session.id === id),
  Submission: ({ loaders }, id) => loaders.submission(id),
  Task: ({ loaders }, id) => loaders.task(id),
  User: ({ context }, id) => findUser(context, id),
  WebhookSubscription: async ({ loaders }, id) => {
    const subscription = await loaders.subscription(id);
    return subscription?.deletedAt === null ? subscription : null;
  },
};

/** What stands under a key, ready to be answered as a Node; null for what there is not. */
export async function loadNode(features: Features, key: NodeKey | undefined): Promise<object | null> {
  if (key === undefined) return null;
  const node = (await LOAD[key.type](features, key.id)) ?? null;
  if (node !== null) brandWithType<Types>(node, key.type);
  return node;
}
