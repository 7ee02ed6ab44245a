/** What an admin does about the second factor of somebody else. */
import { access } from '../access.ts';
import type { Builder } from '../builder.ts';
import { localId } from '../global-id.ts';
import { resultOf } from '../mutation.ts';
import { ConflictError, ForbiddenError, NotFoundError } from './error.ts';

/** Registers Mutation.resetSecondFactor. */
export function addSecondFactor(builder: Builder): void {
  const input = builder.inputType('ResetSecondFactorInput', {
    description: 'Who has lost the second factor.',
    fields: (t) => ({
      userId: t.id({ required: true, description: 'The global id of the user.' }),
    }),
  });
  const payload = builder
    .objectRef<{ readonly hadSecondFactor: boolean }>('ResetSecondFactorPayload')
    .implement({
      description: 'The person has no second factor now.',
      fields: (t) => ({
        hadSecondFactor: t.exposeBoolean('hadSecondFactor', {
          description: 'Whether there was one; if not, nothing has changed.',
        }),
      }),
    });
  builder.mutationField('resetSecondFactor', (t) =>
    t.field({
      ...access('session'),
      description:
        'Takes the second factor of somebody away who has lost it and its recovery codes, ends the sessions of that account, and tells the person by mail. An ADMIN may do it for who is a member of that organization alone, an admin of the platform for everybody, nobody for oneself. Make sure who is asking.',
      type: payload,
      errors: resultOf('ResetSecondFactorResult', [NotFoundError, ConflictError, ForbiddenError]),
      args: { input: t.arg({ type: input, required: true, description: 'Whose.' }) },
      resolve: (_root, { input: { userId } }, { features }) =>
        features().resetSecondFactor(localId('User', userId)),
    }),
  );
}
