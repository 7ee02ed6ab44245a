/** What every resolver is given: the viewer, and the way to the features on its behalf. */
import type { PeopleContext, PeopleDependencies } from '../accounts/invitation.ts';
import type { OwnSessions } from '../accounts/own-session.ts';
import type { RetentionLimits } from '../accounts/retention.ts';
import type { ResetSecondFactor } from '../accounts/second-factor-reset.ts';
import { type RequestContext, requestContext, type Viewer } from '../accounts/viewer.ts';
import { type RequestOrigin, sourceOf } from '../audit/entry.ts';
import { platformViewer } from '../audit/list.ts';
import { AppError } from '../lib/errors.ts';
import { newId } from '../lib/ids.ts';
import type { ClientReviews } from '../oauth/client-review.ts';
import type { ConnectedApps } from '../oauth/connected-app.ts';
import type { Tenancy } from '../platform/database/tenancy.ts';
import type { WebhookContext, WebhookDependencies } from '../webhooks/context.ts';
import type { FollowReplay } from '../webhooks/replay-progress.ts';
import type { SubscribeToUpdates } from '../webhooks/update.ts';
import type { Admitted } from './limits/admission.ts';
import { createLoaders, type Loaders } from './loaders.ts';
import { shareRead } from './shared-read.ts';

/** The features as one operation of one viewer sees them. */
export type Features = {
  readonly context: WebhookContext & PeopleContext;
  /** What belongs to no organization, for an admin of the platform. Throws `FORBIDDEN`. */
  readonly platform: () => RequestContext;
  readonly ownSessions: OwnSessions;
  readonly connectedApps: ConnectedApps;
  /** Of a user, by the viewer. Errors: those of `resetSecondFactor`. */
  readonly resetSecondFactor: (userId: string) => ReturnType<ResetSecondFactor>;
  /** For admins of the platform; each asks for one itself. */
  readonly clientReviews: ClientReviews;
  /** For how long the server keeps history. */
  readonly retentionLimits: RetentionLimits;
  /** Forget what they hold whenever something was written. */
  readonly loaders: Loaders;
};

/** What is known of a request before anything of it is read. */
export type RequestFacts = {
  /** What the log calls it; made when it is needed, if left out. */
  readonly requestId?: string | undefined;
  /** Where it comes from. */
  readonly address: string;
  readonly userAgent?: string | null | undefined;
  /** What was decided about its operation before it is executed; kept here for the answer to tell of it. */
  readonly admission?: AdmissionSlot;
};

export type AdmissionSlot = { decided?: Admitted };

export type GraphQLContext = Pick<RequestFacts, 'address'> & {
  readonly admission: AdmissionSlot;
  /** Null: the request came without credentials. */
  readonly viewer: Viewer | null;
  /** Named in the log and in the answer when something goes wrong that should not. */
  readonly requestId: () => string;
  /** Throws `UNAUTHENTICATED` without a viewer. */
  readonly features: () => Features;
  readonly subscribeToUpdates: SubscribeToUpdates;
  readonly followReplay: FollowReplay;
  /** Ends what was read for one item of a stream; the next one is read anew. */
  readonly release: () => Promise<void>;
  /** Ends what the operation holds. Nothing can be read afterwards. */
  readonly end: () => Promise<void>;
};

export type ContextDependencies = {
  readonly tenancy: Tenancy;
  readonly webhooks: WebhookDependencies;
  readonly people: PeopleDependencies;
  readonly subscribeToUpdates: SubscribeToUpdates;
  readonly followReplay: FollowReplay;
  readonly ownSessions: OwnSessions;
  readonly connectedApps: ConnectedApps;
  readonly resetSecondFactor: ResetSecondFactor;
  readonly clientReviews: ClientReviews;
  readonly retentionLimits: RetentionLimits;
};

type OpenFeatures = Features & { readonly release: () => Promise<void>; readonly end: () => Promise<void> };

/** The context of one operation. It costs nothing until a resolver asks for the features. */
export function createContext(
  dependencies: ContextDependencies,
  viewer: Viewer | null,
  { requestId, address, userAgent = null, admission = {} }: RequestFacts,
): GraphQLContext {
  let id = requestId;
  let opened: OpenFeatures | undefined;
  return {
    viewer,
    address,
    admission,
    requestId: () => (id ??= newId()),
    subscribeToUpdates: dependencies.subscribeToUpdates,
    followReplay: dependencies.followReplay,
    release: async () => opened?.release(),
    features: () =>
      (opened ??= openFeatures(dependencies, requireViewer(viewer), {
        address,
        userAgent,
        requestId: (id ??= newId()),
      })),
    end: async () => opened?.end(),
  };
}

/** The viewer; throws `UNAUTHENTICATED` when there is none. */
export function requireViewer(viewer: Viewer | null): Viewer {
  if (viewer !== null) return viewer;
  throw new AppError(
    'UNAUTHENTICATED',
    'This needs an access token in the Authorization header, or a session.',
  );
}

function openFeatures(
  {
    tenancy,
    webhooks,
    people,
    ownSessions,
    connectedApps,
    resetSecondFactor,
    clientReviews,
    retentionLimits,
  }: ContextDependencies,
  viewer: Viewer,
  origin: RequestOrigin,
) {
  const shared = shareRead((work) => tenancy.read(viewer, work));
  const context: Features['context'] = {
    ...webhooks,
    ...people,
    viewer,
    source: sourceOf(viewer, origin),
    read: shared.read,
    write: async (work) => {
      // The connection is given back first: an operation never holds two.
      await shared.release();
      const result = await tenancy.write(viewer, work);
      loaders = createLoaders(context);
      return result;
    },
  };
  let loaders = createLoaders(context);
  return {
    context,
    platform: () => requestContext(tenancy, platformViewer(viewer), origin),
    ownSessions,
    connectedApps,
    resetSecondFactor: (userId: string) => resetSecondFactor(viewer, userId, origin),
    clientReviews,
    retentionLimits,
    get loaders() {
      return loaders;
    },
    release: async () => {
      await shared.release();
      loaders = createLoaders(context);
    },
    end: shared.close,
  };
}
