/** The viewer's own sessions. */
import { access } from '../access.ts';
import type { Builder } from '../builder.ts';
import { globalId, localId } from '../global-id.ts';
import { resultOf } from '../mutation.ts';
import { ForbiddenError, NotFoundError } from './error.ts';

/** Registers Session, Mutation.endSession and Mutation.endOtherSessions. */
export function addSession(builder: Builder): void {
  builder.objectType('Session', {
    description: 'Somebody signed in, in one browser. Nobody sees but the own ones.',
    interfaces: [builder.nodeInterfaceRef()],
    fields: (t) => ({
      id: t.id({ description: 'Its global id.', resolve: ({ id }) => globalId('Session', id) }),
      isCurrent: t.exposeBoolean('isCurrent', { description: 'Whether this request is made in it.' }),
      createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was signed in.' }),
      lastUsedAt: t.expose('lastUsedAt', {
        type: 'DateTime',
        description: 'When it was last used, exact to a minute.',
      }),
      expiresAt: t.expose('expiresAt', {
        type: 'DateTime',
        description: 'When it ends however much it is used.',
      }),
      secondFactorAt: t.expose('secondFactorAt', {
        type: 'DateTime',
        nullable: true,
        description: 'When a second factor was given; null if none was.',
      }),
      address: t.exposeString('address', {
        nullable: true,
        description: 'The address it was signed in from; null if it is not known.',
      }),
      userAgent: t.exposeString('userAgent', {
        nullable: true,
        description: 'What the browser called itself; null if it did not.',
      }),
    }),
  });
  addEndSession(builder);
  addEndOtherSessions(builder);
}

function addEndSession(builder: Builder): void {
  const input = builder.inputType('EndSessionInput', {
    description: 'Which session to end.',
    fields: (t) => ({
      sessionId: t.id({ required: true, description: 'The global id of one of the own sessions.' }),
    }),
  });
  const payload = builder.objectRef<{ readonly sessionId: string }>('EndSessionPayload').implement({
    description: 'The session that was ended.',
    fields: (t) => ({
      sessionId: t.exposeID('sessionId', { description: 'The global id that it had.' }),
    }),
  });
  builder.mutationField('endSession', (t) =>
    t.field({
      ...access('session'),
      description: 'Ends one of the own sessions at once: its browser is signed out.',
      type: payload,
      args: { input: t.arg({ type: input, required: true, description: 'Which session.' }) },
      errors: resultOf('EndSessionResult', [NotFoundError, ForbiddenError]),
      resolve: async (_root, { input: { sessionId } }, { features, address }) => {
        const { ownSessions, context } = features();
        await ownSessions.end(context.viewer, localId('Session', sessionId), address);
        return { sessionId };
      },
    }),
  );
}

function addEndOtherSessions(builder: Builder): void {
  const payload = builder.objectRef<{ readonly count: number }>('EndOtherSessionsPayload').implement({
    description: 'The other sessions were ended.',
    fields: (t) => ({ count: t.exposeInt('count', { description: 'How many there were.' }) }),
  });
  const input = builder.inputType('EndOtherSessionsInput', {
    description: 'Which sessions to end.',
    fields: (t) => ({
      keptSessionId: t.id({
        required: true,
        description: 'The global id of the own session that stays, as a rule the current one.',
      }),
    }),
  });
  builder.mutationField('endOtherSessions', (t) =>
    t.field({
      ...access('session'),
      description: 'Ends all own sessions but one.',
      type: payload,
      args: { input: t.arg({ type: input, required: true, description: 'Which sessions.' }) },
      errors: resultOf('EndOtherSessionsResult', [NotFoundError, ForbiddenError]),
      resolve: async (_root, { input: { keptSessionId } }, { features, address }) => {
        const { ownSessions, context } = features();
        const keptId = localId('Session', keptSessionId);
        return { count: await ownSessions.endOthers(context.viewer, keptId, address) };
      },
    }),
  );
}
