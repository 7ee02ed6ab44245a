/** The builder that the types of the schema are registered with: its plugins, its scalars, its names. */
import SchemaBuilder, { type ArgBuilder } from '@pothos/core';
import ErrorsPlugin from '@pothos/plugin-errors';
import PrismaPlugin from '@pothos/plugin-prisma';
import RelayPlugin from '@pothos/plugin-relay';
import ScopeAuthPlugin from '@pothos/plugin-scope-auth';
import ValidationPlugin from '@pothos/plugin-validation';
import type { OwnSession } from '../accounts/own-session.ts';
import type { ScopeInfo } from '../accounts/scope.ts';
import type { Viewer } from '../accounts/viewer.ts';
import type { EmittedEvent } from '../events/emit.ts';
import type { EventRecord } from '../events/event.ts';
import type { EventType } from '../events/event-type.ts';
import type PrismaTypes from '../generated/pothos-types.ts';
import { getDatamodel } from '../generated/pothos-types.ts';
import type {
  AuditEntry,
  Badge,
  BadgeAward,
  Delivery,
  Enrolment,
  Grade,
  Invitation,
  Learner,
  Membership,
  Organization,
  Quest,
  Replay,
  Submission,
  Task,
  TaskCompletion,
  User,
  WebhookSubscription,
} from '../generated/prisma/client.ts';
import type { PillarXp } from '../learning/pillar.ts';
import type { Count } from '../lib/page.ts';
import type { ClientRecord } from '../oauth/client-record.ts';
import type { ConnectedApp } from '../oauth/connected-app-statements.ts';
import type { Consent } from '../oauth/consent-statements.ts';
import type { AttemptRecord } from '../webhooks/delivery-batch.ts';
import type { StreamItem } from '../webhooks/update.ts';
import { type Access, checkAccess } from './access.ts';
import type { Connection } from './connection.ts';
import type { GraphQLContext } from './context.ts';
import { deferredClient } from './deferred-client.ts';
import { parseGlobalId } from './global-id.ts';
import { validationFailure } from './validation.ts';

/** What stands behind the types that are referred to by name. */
type Objects = {
  AuditEntry: AuditEntry;
  AuditEntryConnection: Connection<AuditEntry>;
  Badge: Badge;
  BadgeAward: BadgeAward;
  Enrolment: Enrolment;
  Grade: Grade;
  Learner: Learner;
  Quest: Quest;
  Submission: Submission;
  Task: Task;
  TaskCompletion: TaskCompletion;
  BadgeConnection: Connection<Badge>;
  EnrolmentConnection: Connection<Enrolment>;
  LearnerConnection: Connection<Learner>;
  QuestConnection: Connection<Quest>;
  SubmissionConnection: Connection<Submission>;
  PillarXp: PillarXp;
  ConnectedApp: ConnectedApp;
  Count: Count;
  Delivery: Delivery;
  DeliveryAttempt: AttemptRecord;
  DeliveryConnection: Connection<Delivery>;
  EmittedEvent: EmittedEvent;
  Event: EventRecord;
  EventConnection: Connection<EventRecord>;
  EventType: EventType;
  Invitation: Invitation;
  InvitationConnection: Connection<Invitation>;
  Header: readonly [name: string, value: string];
  Membership: Membership;
  MembershipConnection: Connection<Membership>;
  OAuthConsent: Consent;
  OAuthConsentConnection: Connection<Consent>;
  OAuthClient: ClientRecord;
  OAuthClientConnection: Connection<ClientRecord>;
  /** What else there is to know of it is read when it is asked for. */
  Organization: Pick<Organization, 'id'>;
  Replay: Replay;
  ReplayConnection: Connection<Replay>;
  Scope: ScopeInfo;
  Session: OwnSession;
  User: User;
  Viewer: Viewer;
  WebhookSubscription: WebhookSubscription;
  WebhookSubscriptionConnection: Connection<WebhookSubscription>;
  DeliveryUpdated: Extract<StreamItem, { kind: 'update' }>;
  StreamGap: Extract<StreamItem, { kind: 'gap' }>;
  StreamReady: Extract<StreamItem, { kind: 'ready' }>;
};

type OwnTypes = {
  Context: GraphQLContext;
  PrismaTypes: PrismaTypes;
  AuthScopes: { access: Access };
  DefaultFieldNullability: false;
  Connection: Pick<Connection<unknown>, 'totalCount'>;
  Objects: Objects;
  Scalars: {
    Cursor: { Input: string; Output: string };
    DateTime: { Input: Date; Output: Date };
    ID: { Input: string; Output: string };
    JSON: { Input: unknown; Output: unknown };
    URL: { Input: string; Output: string };
  };
};

export type Types = PothosSchemaTypes.ExtendDefaultTypes<OwnTypes>;
export type Builder = PothosSchemaTypes.SchemaBuilder<Types>;
export type InputFields = PothosSchemaTypes.InputFieldBuilder<Types, 'InputObject'>;
export type ArgumentBuilder = ArgBuilder<Types>;

export type BuilderOptions = {
  /** What happens when a query that Pothos planned is not used by its resolver: an error in tests. */
  readonly onUnusedQuery: 'error' | null;
};

/** An empty schema with its plugins and scalars. */
export function createBuilder({ onUnusedQuery }: BuilderOptions): Builder {
  return new SchemaBuilder<OwnTypes>({
    // The first plugin is the outermost: what the others refuse becomes a typed error, too.
    plugins: [ErrorsPlugin, ValidationPlugin, ScopeAuthPlugin, RelayPlugin, PrismaPlugin],
    defaultFieldNullability: false,
    errors: { directResult: true },
    validation: { validationError: validationFailure },
    scopeAuth: {
      authScopes: (context) => ({ access: (required) => checkAccess(context.viewer, required) }),
      authorizeOnSubscribe: true,
    },
    relay: relayOptions(),
    prisma: { client: deferredClient, dmmf: getDatamodel(), onUnusedQuery },
  });
}

/** The type of cursors is our own scalar, which the plugin takes although its types name two of GraphQL's only. */
const CURSOR = 'Cursor' as 'String';

function relayOptions() {
  return {
    cursorType: CURSOR,
    // The name of an unknown type leads to nothing, as the id of an unknown row does.
    decodeGlobalID: (text: string) => {
      const key = parseGlobalId(text);
      return { typename: key?.type ?? '', id: key?.id ?? text };
    },
    nodeTypeOptions: { description: 'Anything that has a global id.' },
    nodeQueryOptions: false,
    nodesQueryOptions: false,
    nodesOnConnection: { description: 'The things themselves, without their edges.' },
    edgesFieldOptions: { description: 'The things with a cursor each.' },
    nodeFieldOptions: { description: 'The thing itself.' },
    cursorFieldOptions: { description: 'Where in the list it stands.' },
    pageInfoFieldOptions: { description: 'Whether there is more, and where to go on.' },
    pageInfoTypeOptions: { description: 'Whether there is more of a list, and where to go on.' },
    hasNextPageFieldOptions: { description: 'Whether there is more after the last one here (older).' },
    hasPreviousPageFieldOptions: { description: 'Whether there is more before the first one here (newer).' },
    startCursorFieldOptions: { description: 'The cursor of the first one here.' },
    endCursorFieldOptions: { description: 'The cursor of the last one here; give it as `after` to go on.' },
    idFieldOptions: { description: 'Its global id.' },
  } as const;
}
