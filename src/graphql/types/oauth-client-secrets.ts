/** Mutations of the secrets of OAuth clients. */
import { MAY_MANAGE_CLIENTS } from '../../oauth/client-context.ts';
import { endSecretOverlap, type RotatedClientSecret, rotateClientSecret } from '../../oauth/client-secret.ts';
import { access } from '../access.ts';
import type { Builder } from '../builder.ts';
import { localId } from '../global-id.ts';
import {
  DEDUPLICATED,
  expectedVersion,
  given,
  idempotencyKey,
  inWordsOfInput,
  resultOf,
} from '../mutation.ts';
import { ConflictError, ForbiddenError, NotFoundError, ValidationError } from './error.ts';
import { clientId, clientPayload } from './oauth-client-mutations.ts';

/** Registers rotateOAuthClientSecret and endOAuthClientSecretOverlap. */
export function addOAuthClientSecrets(builder: Builder): void {
  addRotate(builder);
  addEndOverlap(builder);
}

function addRotate(builder: Builder): void {
  const input = builder.inputType('RotateOAuthClientSecretInput', {
    description: 'An OAuth client whose secret is to be replaced.',
    fields: (t) => ({
      ...clientId(t),
      overlapSeconds: t.int({
        description:
          'How long the secret before stays good beside the new one: 0 to 2,592,000; a day if left out.',
      }),
      expectedVersion: expectedVersion(t),
      idempotencyKey: idempotencyKey(t),
    }),
  });
  const payload = builder.objectRef<RotatedClientSecret>('RotateOAuthClientSecretPayload').implement({
    description: 'The new secret.',
    fields: (t) => ({
      client: t.expose('client', { type: 'OAuthClient', description: 'The client.' }),
      clientSecret: t.exposeString('clientSecret', { description: 'The new secret. It is shown here only.' }),
      overlapEndsAt: t.expose('overlapEndsAt', {
        type: 'DateTime',
        description: 'Until when the secret before is good.',
      }),
      deduplicated: t.exposeBoolean('deduplicated', { description: DEDUPLICATED }),
    }),
  });
  builder.mutationField('rotateOAuthClientSecret', (t) =>
    t.field({
      ...access(MAY_MANAGE_CLIENTS),
      description:
        'Gives an OAuth client a new secret. One that was in an overlap already ends: two at most are good.',
      type: payload,
      errors: resultOf('RotateOAuthClientSecretResult', [
        ValidationError,
        NotFoundError,
        ConflictError,
        ForbiddenError,
      ]),
      args: { input: t.arg({ type: input, required: true, description: 'What to rotate.' }) },
      resolve: (_root, { input: { id, ...rotation } }, { features }) => {
        const options = {
          overlapSeconds: given(rotation.overlapSeconds),
          expectedVersion: given(rotation.expectedVersion),
          idempotencyKey: given(rotation.idempotencyKey),
        };
        return inWordsOfInput(() =>
          rotateClientSecret(features().context, localId('OAuthClient', id), options),
        );
      },
    }),
  );
}

function addEndOverlap(builder: Builder): void {
  const input = builder.inputType('EndOAuthClientSecretOverlapInput', {
    description: 'An OAuth client of which only the newest secret is to be good.',
    fields: (t) => ({ ...clientId(t), expectedVersion: expectedVersion(t) }),
  });
  builder.mutationField('endOAuthClientSecretOverlap', (t) =>
    t.field({
      ...access(MAY_MANAGE_CLIENTS),
      description:
        'Ends the overlap of a rotation before its time: only the newest secret is good from now on.',
      type: clientPayload(builder, 'EndOAuthClientSecretOverlapPayload'),
      errors: resultOf('EndOAuthClientSecretOverlapResult', [NotFoundError, ConflictError, ForbiddenError]),
      args: { input: t.arg({ type: input, required: true, description: 'Which client.' }) },
      resolve: (_root, { input: { id, expectedVersion: version } }, { features }) =>
        endSecretOverlap(features().context, localId('OAuthClient', id), given(version)),
    }),
  );
}
