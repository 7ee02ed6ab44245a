/** Tells which kinds of operations there were and what came of them, on every transport. */
import { type ExecutionResult, getOperationAST } from 'graphql';
import { isAsyncIterable, type Plugin } from 'graphql-yoga';
import type { GraphQLContext } from './context.ts';

export type OperationKind = 'query' | 'mutation' | 'subscription' | 'unknown';
/** `refused`: an error with a code for the caller; `failed`: an unexpected one; `invalid`: it was not executed. */
export type OperationOutcome = 'ok' | 'refused' | 'failed' | 'invalid';
export type ObserveOperation = (kind: OperationKind, outcome: OperationOutcome) => void;

type Executed = Parameters<typeof getOperationAST>;

/** Calls `observe` once for each operation; a subscription counts when it is opened. Stands after the translation of errors. */
export function useOperationCount(observe: ObserveOperation): Plugin<GraphQLContext> {
  return {
    onParse: () => {
      return ({ result }) => {
        if (result instanceof Error) observe('unknown', 'invalid');
      };
    },
    onValidate: ({ params }) => {
      return ({ valid }) => {
        if (!valid) observe(kindOf(params.documentAST, undefined), 'invalid');
      };
    },
    onExecute: ({ args }) => ({
      onExecuteDone: ({ result }) => {
        observe(
          kindOf(args.document, args.operationName),
          isAsyncIterable(result) ? 'ok' : outcomeOf(result),
        );
      },
    }),
    onSubscribe: () => ({
      onSubscribeResult: ({ result }) => {
        observe('subscription', isAsyncIterable(result) ? 'ok' : outcomeOf(result));
      },
    }),
  };
}

function kindOf(document: Executed[0], operationName: Executed[1]): OperationKind {
  return getOperationAST(document, operationName)?.operation ?? 'unknown';
}

function outcomeOf({ errors }: ExecutionResult): OperationOutcome {
  if (errors === undefined) return 'ok';
  const isUnexpected = errors.some(({ extensions }) => extensions['code'] === 'INTERNAL_SERVER_ERROR');
  return isUnexpected ? 'failed' : 'refused';
}
