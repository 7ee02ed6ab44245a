/** What all mutations share: one input, a union of payload and typed errors, faults in the words of this API. */
import { AppError, type Fault, validationError } from '../lib/errors.ts';
import type { InputFields } from './builder.ts';

type ErrorClass = new (...args: never[]) => unknown;

/** The name and members of a mutation's result, beside its payload. */
export function resultOf(name: string, errors: readonly ErrorClass[]) {
  return {
    types: errors as unknown as (new () => unknown)[], // The plugin's types want classes it could make.
    union: { name, description: `What ${name.replace(/Result$/, '')} answers: its payload, or why not.` },
  };
}

/** Where in the input a fault of a feature lies. */
export type FaultPath = (path: Fault['path']) => Fault['path'];

/** Features name faults in the words of REST (snake_case); the first step is a setting, what follows is the caller's own. */
export const inputPath: FaultPath = ([setting, ...rest]) =>
  setting === undefined ? ['input'] : ['input', camelCase(setting), ...rest];

/** Runs a feature's function; its faults come out with paths into `input`. */
export async function inWordsOfInput<T>(act: () => Promise<T>, path: FaultPath = inputPath): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof AppError && error.code === 'VALIDATION') {
      throw validationError(error.faults.map((fault) => ({ ...fault, path: path(fault.path) })));
    }
    throw error;
  }
}

/** The input field of every mutation that creates (convention 4). */
export function idempotencyKey(t: InputFields) {
  return t.string({
    description:
      'The same viewer with the same key within 24 hours is answered what was answered the first time, and nothing is done. 1 to 200 characters.',
  });
}

/** The input field of every mutation that changes something (convention 4). */
export function expectedVersion(t: InputFields) {
  return t.int({
    description: 'The version that is to be changed; if it has another one by now, nothing is changed.',
  });
}

/** The description of the payload field that tells of it. */
export const DEDUPLICATED = 'Whether it was done before, under the same idempotency key.';

/** An argument that may be left out, and for which null means the same. */
export function given<T>(value: T | null | undefined): T | undefined {
  return value ?? undefined;
}

function camelCase(word: string | number): string | number {
  return typeof word === 'number'
    ? word
    : word.replace(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());
}
