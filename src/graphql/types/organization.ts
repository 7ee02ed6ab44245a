/** The organization, from which everything else of it is reached. */
import { countMembers, listMembers } from '../../accounts/directory.ts';
import { countEvents, type EventFilter, listEvents } from '../../events/event.ts';
import { Role } from '../../generated/prisma/client.ts';
import { listDeliveries } from '../../webhooks/delivery.ts';
import { countDeliveries } from '../../webhooks/delivery-batch.ts';
import { countSubscriptions, listSubscriptions } from '../../webhooks/subscription.ts';
import { access } from '../access.ts';
import type { Builder } from '../builder.ts';
import { pageArguments, parsePage, toConnection } from '../connection.ts';
import { requireViewer } from '../context.ts';
import { globalId, localId } from '../global-id.ts';
import { fieldsOfItems } from '../look-ahead.ts';
import { given } from '../mutation.ts';
import { loadAhead } from './delivery.ts';
import { type DeliveryFilterInput, parseDeliveryFilter } from './delivery-filter.ts';

/** Registers Organization and Query.organization. */
export function addOrganization(builder: Builder, deliveryFilter: DeliveryFilterInput): void {
  builder.objectType('Organization', {
    description: 'A school, and everything that is its own.',
    interfaces: [builder.nodeInterfaceRef()],
    fields: (t) => ({
      id: t.id({ description: 'Its global id.', resolve: ({ id }) => globalId('Organization', id) }),
      slug: t.string({
        description: 'Its short name in URLs.',
        resolve: async (_organization, _args, { features }) => (await features().loaders.organization()).slug,
      }),
      name: t.string({
        description: 'Its name.',
        resolve: async (_organization, _args, { features }) => (await features().loaders.organization()).name,
      }),
    }),
  });
  addMembers(builder);
  addSubscriptions(builder);
  addEvents(builder);
  addDeliveries(builder, deliveryFilter);
  addOrganizationQuery(builder);
}

function addOrganizationQuery(builder: Builder): void {
  builder.queryField('organization', (t) =>
    t.field({
      ...access('signed in'),
      description: "The viewer's organization. Another one does not exist for it.",
      type: 'Organization',
      nullable: true,
      args: {
        id: t.arg.id({ description: 'The global id it is to have; any if left out.' }),
        slug: t.arg.string({ description: 'The slug it is to have; any if left out.' }),
      },
      resolve: async (_root, { id, slug }, { viewer, features }) => {
        const own = requireViewer(viewer);
        if (own.role === 'NONE') return null;
        const organization = { id: own.organizationId };
        if (given(id) !== undefined && localId('Organization', id ?? '') !== organization.id) return null;
        if (given(slug) === undefined) return organization;
        return (await features().loaders.organization()).slug === slug ? organization : null;
      },
    }),
  );
}

function addMembers(builder: Builder): void {
  const filter = builder.inputType('MemberFilter', {
    description: 'Which members. All conditions have to hold.',
    fields: (t) => ({
      roles: t.field({ type: [Role], description: 'Those with one of these roles.' }),
      search: t.string({
        description:
          'Those with this text in their name or email address, whatever the case: 100 characters at most.',
      }),
    }),
  });
  builder.objectFields('Organization', (t) => ({
    members: t.field({
      description: 'Its members, newest user first.',
      type: 'MembershipConnection',
      args: { filter: t.arg({ type: filter, description: 'Which ones.' }), ...pageArguments(t.arg) },
      resolve: async (_organization, args, { features }) => {
        const { context } = features();
        const page = parsePage(args);
        const wanted = { roles: given(args.filter?.roles), search: given(args.filter?.search) };
        const members = await listMembers(context, wanted, page);
        return toConnection(
          members,
          page,
          ({ userId }) => userId,
          () => countMembers(context, wanted),
        );
      },
    }),
  }));
}

function addSubscriptions(builder: Builder): void {
  const filter = builder.inputType('WebhookSubscriptionFilter', {
    description: 'Which webhook subscriptions. All conditions have to hold.',
    fields: (t) => ({
      eventType: t.string({ description: 'Those that want this event type.' }),
      active: t.boolean({ description: 'true: those that are active; false: the others.' }),
    }),
  });
  builder.objectFields('Organization', (t) => ({
    webhookSubscriptions: t.field({
      description: 'Its webhook subscriptions, newest first.',
      type: 'WebhookSubscriptionConnection',
      args: { filter: t.arg({ type: filter, description: 'Which ones.' }), ...pageArguments(t.arg) },
      resolve: async (_organization, args, { features }) => {
        const { context } = features();
        const page = parsePage(args);
        const wanted = { eventType: given(args.filter?.eventType), active: given(args.filter?.active) };
        const subscriptions = await listSubscriptions(context, wanted, page);
        return toConnection(
          subscriptions,
          page,
          ({ id }) => id,
          () => countSubscriptions(context, wanted),
        );
      },
    }),
  }));
}

function addEvents(builder: Builder): void {
  const filter = builder.inputType('EventFilter', {
    description: 'Which events. All conditions have to hold.',
    fields: (t) => ({
      types: t.stringList({ description: 'Those of these event types.' }),
      since: t.field({ type: 'DateTime', description: 'Those that were stored at this time or later.' }),
      until: t.field({ type: 'DateTime', description: 'Those that were stored before this time.' }),
    }),
  });
  builder.objectFields('Organization', (t) => ({
    events: t.field({
      description: 'Its events, newest first.',
      type: 'EventConnection',
      args: { filter: t.arg({ type: filter, description: 'Which ones.' }), ...pageArguments(t.arg) },
      resolve: async (_organization, args, { features }) => {
        const { context } = features();
        const page = parsePage(args);
        const wanted: EventFilter = {
          types: given(args.filter?.types),
          since: given(args.filter?.since),
          until: given(args.filter?.until),
        };
        const events = await listEvents(context, wanted, page);
        return toConnection(
          events,
          page,
          ({ id }) => id,
          () => countEvents(context, wanted),
        );
      },
    }),
  }));
}

function addDeliveries(builder: Builder, filter: DeliveryFilterInput): void {
  builder.objectFields('Organization', (t) => ({
    deliveries: t.field({
      description: 'Its deliveries, newest first.',
      type: 'DeliveryConnection',
      args: { filter: t.arg({ type: filter, description: 'Which ones.' }), ...pageArguments(t.arg) },
      resolve: async (_organization, args, { features }, info) => {
        const { context, loaders } = features();
        const page = parsePage(args);
        const wanted = parseDeliveryFilter(args.filter);
        const deliveries = await listDeliveries(context, wanted, page);
        await loadAhead(deliveries.items, fieldsOfItems(info), loaders);
        return toConnection(
          deliveries,
          page,
          ({ id }) => id,
          () => countDeliveries(context, wanted),
        );
      },
    }),
  }));
}
