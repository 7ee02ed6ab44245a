/** What the schemas of arguments refuse, in the form in which features refuse. */
import { type AppError, validationError } from '../lib/errors.ts';

type Failure = {
  readonly issues: readonly {
    readonly message: string;
    readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
  }[];
};

/** The error for arguments that do not fit, with a fault for each issue. */
export function validationFailure({ issues }: Failure): AppError {
  return validationError(
    issues.map(({ message, path = [] }) => ({
      message,
      path: path.map((step) => {
        const key = typeof step === 'object' ? step.key : step;
        return typeof key === 'number' ? key : String(key);
      }),
    })),
  );
}
