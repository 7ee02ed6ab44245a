/** What a mutation can answer instead of its payload. */
import type { AppError, ErrorCode, Fault } from '../../lib/errors.ts';
import type { Builder } from '../builder.ts';
import { nodeKey } from '../global-id.ts';
import { loadNode } from './node.ts';

/**
 * The errors plugin knows errors by their class, features by their code: each of these classes recognises the
 * `AppError`s of one code and is never made. (By what they hold, since the plugin hands them on in a wrapping.)
 */
abstract class Recognised extends Error {
  declare readonly faults: readonly Fault[];
  declare readonly requiredScope: string | undefined;
  declare readonly currentVersion: number | undefined;
  declare readonly current: AppError['current'];
}

function recognises(code: ErrorCode, value: unknown): boolean {
  const { name, code: actual } = (value ?? {}) as Partial<AppError>; // Anything may be asked.
  return name === 'AppError' && actual === code;
}

export class ValidationError extends Recognised {
  static override [Symbol.hasInstance](value: unknown): boolean {
    return recognises('VALIDATION', value);
  }
}
export class NotFoundError extends Recognised {
  static override [Symbol.hasInstance](value: unknown): boolean {
    return recognises('NOT_FOUND', value);
  }
}
export class ConflictError extends Recognised {
  static override [Symbol.hasInstance](value: unknown): boolean {
    return recognises('CONFLICT', value);
  }
}
export class ForbiddenError extends Recognised {
  static override [Symbol.hasInstance](value: unknown): boolean {
    return recognises('FORBIDDEN', value);
  }
}
export class PayloadTooLargeError extends Recognised {
  static override [Symbol.hasInstance](value: unknown): boolean {
    return recognises('PAYLOAD_TOO_LARGE', value);
  }
}

/** Registers the errors and what they have in common. */
export function addErrors(builder: Builder): void {
  const error = builder.interfaceRef<Error>('Error').implement({
    description: 'Why something that was asked for was not done. Nothing was changed.',
    fields: (t) => ({ message: t.exposeString('message', { description: 'What is wrong, for people.' }) }),
  });
  const fault = builder.objectRef<Fault>('Fault').implement({
    description: 'One thing that does not fit.',
    fields: (t) => ({
      path: t.stringList({
        description: 'Where it is, from the argument on, such as ["input", "targetUrl"].',
        resolve: ({ path }) => path.map(String),
      }),
      message: t.exposeString('message', { description: 'What is expected there.' }),
    }),
  });
  builder.objectType(ValidationError, {
    name: 'ValidationError',
    description: 'The input was understood but does not fit.',
    interfaces: [error],
    fields: (t) => ({
      faults: t.field({
        description: 'Everything that does not fit.',
        type: [fault],
        resolve: ({ faults }) => [...faults],
      }),
    }),
  });
  builder.objectType(NotFoundError, {
    name: 'NotFoundError',
    description: 'What the input refers to does not exist, or is of another organization.',
    interfaces: [error],
  });
  builder.objectType(ConflictError, {
    name: 'ConflictError',
    description: 'The present state does not allow it.',
    interfaces: [error],
    fields: (t) => ({
      currentVersion: t.int({
        description: 'The version that the thing has now, if another one was expected.',
        nullable: true,
        resolve: (conflict) => conflict.currentVersion ?? null,
      }),
      current: t.field({
        type: builder.nodeInterfaceRef(),
        description: 'The thing as it is now, if another version was expected.',
        nullable: true,
        resolve: ({ current }, _args, { features }) =>
          loadNode(features(), current === undefined ? undefined : nodeKey(current.type, current.id)),
      }),
    }),
  });
  builder.objectType(ForbiddenError, {
    name: 'ForbiddenError',
    description: "The viewer's role or its token's scopes do not allow it.",
    interfaces: [error],
    fields: (t) => ({
      requiredScope: t.string({
        description: 'The scope that the token lacks; null when it is the role.',
        nullable: true,
        resolve: (forbidden) => forbidden.requiredScope ?? null,
      }),
    }),
  });
  builder.objectType(PayloadTooLargeError, {
    name: 'PayloadTooLargeError',
    description: 'The input is larger than what can be stored.',
    interfaces: [error],
  });
}
