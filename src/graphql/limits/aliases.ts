/** The limit of aliases, which ask for the same field many times over. */
import {
  GraphQLError,
  Kind,
  type SelectionSetNode,
  type ValidationContext,
  type ValidationRule,
} from 'graphql';
import { unreachable } from '../../lib/errors.ts';

/** A rule that refuses an operation with more than `maxAliases` aliased fields. */
export function limitAliases(maxAliases: number): ValidationRule {
  return function LimitAliases(context) {
    const countOfFragment = new Map<string, number>();
    return {
      OperationDefinition(operation) {
        const count = countAliases(operation.selectionSet, context, countOfFragment);
        if (count <= maxAliases) return;
        const message = `The operation has ${count} aliases; ${maxAliases} are allowed.`;
        context.reportError(
          new GraphQLError(message, { nodes: operation, extensions: { code: 'TOO_MANY_ALIASES' } }),
        );
      },
    };
  };
}

/** A fragment counts wherever it is spread. */
function countAliases(
  { selections }: SelectionSetNode,
  context: ValidationContext,
  countOfFragment: Map<string, number>,
): number {
  return selections.reduce((sum, selection) => {
    switch (selection.kind) {
      case Kind.FIELD: {
        const within =
          selection.selectionSet === undefined
            ? 0
            : countAliases(selection.selectionSet, context, countOfFragment);
        return sum + within + (selection.alias === undefined ? 0 : 1);
      }
      case Kind.INLINE_FRAGMENT:
        return sum + countAliases(selection.selectionSet, context, countOfFragment);
      case Kind.FRAGMENT_SPREAD:
        return sum + countInFragment(selection.name.value, context, countOfFragment);
      default:
        return unreachable(selection);
    }
  }, 0);
}

function countInFragment(
  name: string,
  context: ValidationContext,
  countOfFragment: Map<string, number>,
): number {
  const known = countOfFragment.get(name);
  if (known !== undefined) return known;
  countOfFragment.set(name, 0);
  const fragment = context.getFragment(name);
  const count =
    fragment === null || fragment === undefined
      ? 0
      : countAliases(fragment.selectionSet, context, countOfFragment);
  countOfFragment.set(name, count);
  return count;
}
