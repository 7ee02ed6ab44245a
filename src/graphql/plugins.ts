/** How Yoga's pipeline is bent to ours. What stands here runs on every transport. */
import type { ExecutionResult } from 'graphql';
import { isAsyncIterable, isPromise, type Plugin } from 'graphql-yoga';
import type { GraphQLContext } from './context.ts';
import { type ErrorTranslation, translateError } from './errors.ts';
import { explainParseError, type Limits, limitRules } from './limits/limits.ts';

type ContextPlugin = Plugin<GraphQLContext>;

/** Refuses documents over the limits before they are executed. */
export function useLimits(limits: Limits): ContextPlugin {
  const rules = limitRules(limits);
  return {
    onParse: ({ parseFn, setParseFn }) => {
      setParseFn((source, options) => {
        try {
          return parseFn(source, { ...options, maxTokens: limits.maxTokens });
        } catch (error) {
          throw explainParseError(error, limits);
        }
      });
    },
    onValidate: ({ addValidationRule }) => {
      for (const rule of rules) addValidationRule(rule);
    },
  };
}

/** Ends what an operation holds when it is executed, whatever came of it. */
export function useOperationEnd(): ContextPlugin {
  return {
    onExecute: ({ executeFn, setExecuteFn, context }) => {
      setExecuteFn((args) => {
        // Without a promise nothing was read, and nothing is to be ended.
        const result = executeFn(args);
        return isPromise(result) ? endAfter(result, context) : result;
      });
    },
  };
}

async function endAfter<R>(result: Promise<R>, { end }: GraphQLContext): Promise<R> {
  try {
    return await result;
  } finally {
    await end();
  }
}

/** Says errors in the words of this API, with the id of the request they belong to. */
export function useErrorTranslation(translation: ErrorTranslation): ContextPlugin {
  const translate = <R extends ExecutionResult>(result: R, { requestId }: GraphQLContext): R =>
    result.errors === undefined
      ? result
      : {
          ...result,
          errors: result.errors.map((error) => translateError(error, requestId(), translation)),
        };
  return {
    onExecute: ({ context }) => ({
      onExecuteDone: ({ result, setResult }) => {
        if (!isAsyncIterable(result) && result.errors !== undefined) setResult(translate(result, context));
      },
    }),
    onSubscribe: ({ context }) => ({
      onSubscribeResult: ({ result, setResult }) => {
        if (!isAsyncIterable(result)) {
          setResult(translate(result, context));
          return undefined;
        }
        return {
          onNext: (next) => {
            if (next.result.errors !== undefined) next.setResult(translate(next.result, context));
          },
        };
      },
      onSubscribeError: ({ error, setError }) => {
        setError(translateError(error, context.requestId(), translation));
      },
    }),
  };
}
