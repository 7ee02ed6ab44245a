/** A span for every operation that is executed, and for the opening of every subscription, on every transport. */
import { getOperationAST } from 'graphql';
import { isAsyncIterable, type Plugin } from 'graphql-yoga';
import type { Trace } from '../platform/tracing/trace.ts';
import type { GraphQLContext } from './context.ts';

type Operation = {
  readonly document: Parameters<typeof getOperationAST>[0];
  readonly operationName?: string | null;
};

/** The document is left out: it may hold what people wrote into it. */
export function useOperationTrace(trace: Trace): Plugin<GraphQLContext> {
  return {
    onExecute: ({ executeFn, setExecuteFn }) => {
      setExecuteFn((args) => traceOperation(trace, args, async () => executeFn(args)));
    },
    onSubscribe: ({ subscribeFn, setSubscribeFn }) => {
      setSubscribeFn((args) => traceOperation(trace, args, async () => subscribeFn(args)));
    },
  };
}

function traceOperation<R>(trace: Trace, operation: Operation, work: () => Promise<R>): Promise<R> {
  const found = getOperationAST(operation.document, operation.operationName ?? undefined);
  const type = found?.operation ?? 'unknown';
  const attributes = {
    'graphql.operation.type': type,
    // A client's own word: an attribute, since a span's name comes from a small set.
    ...(found?.name === undefined ? {} : { 'graphql.operation.name': found.name.value.slice(0, 100) }),
  };
  return trace(`graphql ${type}`, { kind: 'internal', attributes }, async (span) => {
    const result = await work();
    const errors = errorCount(result);
    if (errors > 0) span.set({ 'graphql.errors': errors });
    return result;
  });
}

function errorCount(result: unknown): number {
  if (typeof result !== 'object' || result === null || isAsyncIterable(result)) return 0;
  return 'errors' in result && Array.isArray(result.errors) ? result.errors.length : 0;
}
