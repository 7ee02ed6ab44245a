/** What an admin of the platform decides about OAuth clients of any organization. */
import { unreachable, validationError } from '../../lib/errors.ts';
import type { ReviewDecision } from '../../oauth/client-review.ts';
import { access } from '../access.ts';
import type { Builder } from '../builder.ts';
import { localId } from '../global-id.ts';
import { given, inWordsOfInput, resultOf } from '../mutation.ts';
import { ConflictError, ForbiddenError, NotFoundError, ValidationError } from './error.ts';
import { clientId, clientPayload } from './oauth-client-mutations.ts';

/** Registers reviewOAuthClient. */
export function addOAuthClientReview(builder: Builder): void {
  const decision = builder.enumType('OAuthClientDecision', {
    description: 'What an admin of the platform decides about an OAuth client.',
    values: {
      APPROVE: { description: 'What it asks for is in force, with all or fewer of its scopes.' },
      REJECT: { description: 'What it asks for is not; what is in force stays. With a reason.' },
      SUSPEND: { description: 'It is stopped at once, and its tokens end. With a reason.' },
      RESUME: { description: 'It goes on, whoever suspended it.' },
    },
  });
  const input = builder.inputType('ReviewOAuthClientInput', {
    description: 'A decision about an OAuth client.',
    fields: (t) => ({
      ...clientId(t),
      expectedVersion: t.int({
        required: true,
        description: 'The version that was looked at; if it has another one by now, nothing is decided.',
      }),
      decision: t.field({ type: decision, required: true, description: 'What is decided.' }),
      scopes: t.stringList({
        description:
          'With APPROVE: fewer scopes than it asks for, or parts of them; all of them if left out.',
      }),
      reason: t.string({ description: 'With REJECT and SUSPEND: why, for people: 1 to 500 characters.' }),
    }),
  });
  builder.mutationField('reviewOAuthClient', (t) =>
    t.field({
      ...access('platform admin'),
      description:
        'Decides about an OAuth client of any organization. For an admin of the platform who has signed in.',
      type: clientPayload(builder, 'ReviewOAuthClientPayload'),
      errors: resultOf('ReviewOAuthClientResult', [
        ValidationError,
        NotFoundError,
        ConflictError,
        ForbiddenError,
      ]),
      args: { input: t.arg({ type: input, required: true, description: 'Which client, and what.' }) },
      resolve: (_root, { input: { id, expectedVersion, ...decided } }, { features }) => {
        const { context, clientReviews } = features();
        return inWordsOfInput(async () =>
          clientReviews.decide(context, localId('OAuthClient', id), {
            ...toDecision(decided),
            expectedVersion,
          }),
        );
      },
    }),
  );
}

type DecisionInput = {
  readonly decision: ReviewDecision['decision'];
  readonly scopes?: readonly string[] | null | undefined;
  readonly reason?: string | null | undefined;
};

/** What has no meaning for the decision is refused, for it would have been meant. */
function toDecision({ decision, scopes, reason }: DecisionInput): ReviewDecision {
  if (given(scopes) !== undefined && decision !== 'APPROVE') {
    throw validationError([{ path: ['scopes'], message: 'Scopes are chosen with APPROVE only.' }]);
  }
  if (given(reason) !== undefined && (decision === 'APPROVE' || decision === 'RESUME')) {
    throw validationError([{ path: ['reason'], message: 'A reason is given with REJECT and SUSPEND only.' }]);
  }
  switch (decision) {
    case 'APPROVE':
      return { decision, scopes: given(scopes) };
    case 'RESUME':
      return { decision };
    case 'REJECT':
    case 'SUSPEND':
      return { decision, reason: reason ?? '' };
    default:
      return unreachable(decision);
  }
}
