/** The limit of depth. */
import {
  type FragmentDefinitionNode,
  GraphQLError,
  Kind,
  type SelectionSetNode,
  type ValidationContext,
  type ValidationRule,
} from 'graphql';
import { unreachable } from '../../lib/errors.ts';

/** A rule that refuses an operation with more than `maxDepth` levels of fields. */
export function limitDepth(maxDepth: number): ValidationRule {
  return function LimitDepth(context) {
    const depthOfFragment = new Map<string, number>();
    return {
      OperationDefinition(operation) {
        const depth = depthOf(operation.selectionSet, context, depthOfFragment);
        if (depth <= maxDepth) return;
        const message = `The operation is ${depth} levels deep; ${maxDepth} are allowed.`;
        context.reportError(
          new GraphQLError(message, { nodes: operation, extensions: { code: 'OPERATION_TOO_DEEP' } }),
        );
      },
    };
  };
}

function depthOf(
  { selections }: SelectionSetNode,
  context: ValidationContext,
  depthOfFragment: Map<string, number>,
): number {
  const depths = selections.map((selection): number => {
    switch (selection.kind) {
      case Kind.FIELD:
        return selection.selectionSet === undefined
          ? 1
          : 1 + depthOf(selection.selectionSet, context, depthOfFragment);
      case Kind.INLINE_FRAGMENT:
        return depthOf(selection.selectionSet, context, depthOfFragment);
      case Kind.FRAGMENT_SPREAD:
        return depthOfSpread(context.getFragment(selection.name.value), context, depthOfFragment);
      default:
        return unreachable(selection);
    }
  });
  return Math.max(0, ...depths);
}

/** Each fragment is measured once; one that contains itself (which another rule refuses) counts as nothing within. */
function depthOfSpread(
  fragment: FragmentDefinitionNode | null | undefined,
  context: ValidationContext,
  depthOfFragment: Map<string, number>,
): number {
  if (fragment === null || fragment === undefined) return 0;
  const name = fragment.name.value;
  const known = depthOfFragment.get(name);
  if (known !== undefined) return known;
  depthOfFragment.set(name, 0);
  const depth = depthOf(fragment.selectionSet, context, depthOfFragment);
  depthOfFragment.set(name, depth);
  return depth;
}
