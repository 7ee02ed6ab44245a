/**
 * What the live stream carries is the same for all who asked for it in the same words: each item is executed once for all
 * of them, not once for each (webhooks rule 38).
 */
import {
  BREAK,
  createSourceEventStream,
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  executeRootSelectionSet,
  getOperationAST,
  Kind,
  mapSourceToResponseEvent,
  type OperationDefinitionNode,
  type RootSelectionSetExecutor,
  validateSubscriptionArgs,
  visit,
} from 'graphql';
import { isAsyncIterable, type Plugin } from 'graphql-yoga';
import type { GraphQLContext } from './context.ts';

/** What they carry are objects that all subscribers share, and nothing in it depends on who looks. */
const SHARED_FIELDS: ReadonlySet<string> = new Set(['deliveryUpdates']);

/** Stands before the plugins that wrap the opening of a subscription. */
export function useSharedEvents(): Plugin<GraphQLContext> {
  const execute = shareResults(executeRootSelectionSet);
  const decided = new WeakMap<OperationDefinitionNode, boolean>();
  const isShared = ({ document, operationName }: ExecutionArgs): boolean => {
    const operation = getOperationAST(document, operationName);
    if (operation === null || operation === undefined) return false;
    const known = decided.get(operation) ?? dependsOnNobody(document, operation);
    decided.set(operation, known);
    return known;
  };
  return {
    onSubscribe: ({ args, setSubscribeFn }) => {
      if (isShared(args)) setSubscribeFn((given: ExecutionArgs) => open(given, execute));
    },
  };
}

async function open(
  args: ExecutionArgs,
  execute: RootSelectionSetExecutor,
): Promise<AsyncGenerator<ExecutionResult> | ExecutionResult> {
  const validated = validateSubscriptionArgs(args);
  if (!('operation' in validated)) return { errors: validated };
  const source = await createSourceEventStream(validated);
  return isAsyncIterable(source) ? mapSourceToResponseEvent(validated, source, execute) : source;
}

/** By item and operation: as long as somebody holds the item. What failed is nobody else's. */
function shareResults(execute: RootSelectionSetExecutor): RootSelectionSetExecutor {
  const byItem = new WeakMap<object, Map<OperationDefinitionNode, ExecutionResult>>();
  return async (event) => {
    const item = event.rootValue;
    if (typeof item !== 'object' || item === null) return execute(event);
    const results = byItem.get(item) ?? new Map<OperationDefinitionNode, ExecutionResult>();
    byItem.set(item, results);
    const known = results.get(event.operation);
    if (known !== undefined) return known;
    const result = await execute(event);
    if (result.errors === undefined) results.set(event.operation, result);
    return result;
  };
}

/** Whether only shared fields are asked for, and variables stand in nothing but their arguments, which choose the items. */
function dependsOnNobody(document: DocumentNode, { selectionSet }: OperationDefinitionNode): boolean {
  const fields = selectionSet.selections;
  const areShared = fields.every(
    (field) =>
      field.kind === Kind.FIELD &&
      SHARED_FIELDS.has(field.name.value) &&
      (field.directives ?? []).length === 0,
  );
  const chosenBy = new Set(
    fields.flatMap((field) => (field.kind === Kind.FIELD ? (field.arguments ?? []) : [])),
  );
  return areShared && !usesVariables(document, chosenBy);
}

function usesVariables(document: DocumentNode, except: ReadonlySet<object>): boolean {
  let found = false;
  visit(document, {
    VariableDefinition: () => false,
    Argument: (node) => (except.has(node) ? false : undefined),
    Variable: () => {
      found = true;
      return BREAK;
    },
  });
  return found;
}
