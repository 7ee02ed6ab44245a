/** How Yoga's pipeline is bent to ours. What stands here runs on every transport. */
import type { ExecutionArgs, ExecutionResult } from 'graphql';
import { isAsyncIterable, isPromise, type Plugin } from 'graphql-yoga';
import type { GraphQLContext } from './context.ts';
import { type ErrorTranslation, translateError } from './errors.ts';
import type { Admission } from './limits/admission.ts';
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

/** Executes only what is admitted, and tells what it cost in its answer; in the first one of a stream. */
export function useAdmission({ admit }: Admission, translation: ErrorTranslation): ContextPlugin {
  const decide = async (
    { schema, document, operationName, variableValues }: ExecutionArgs,
    context: GraphQLContext,
  ) => {
    const operation = { schema, document, operationName, variables: variableValues };
    const { report, refusal } = (context.admission.decided ??= await admit(operation, context));
    const refused =
      refusal === undefined
        ? undefined
        : {
            errors: [translateError(refusal, context.requestId(), translation)],
            extensions: { cost: report },
          };
    const withCost = <R extends ExecutionResult>(result: R): R => ({
      ...result,
      extensions: { ...result.extensions, cost: report },
    });
    return { refused, withCost };
  };
  return {
    onExecute: async ({ args, context, setResultAndStopExecution }) => {
      const { refused, withCost } = await decide(args, context);
      if (refused !== undefined) setResultAndStopExecution(refused);
      return {
        onExecuteDone: ({ result, setResult }) => {
          if (!isAsyncIterable(result)) setResult(withCost(result));
        },
      };
    },
    onSubscribe: async ({ args, context, setResultAndStopExecution }) => {
      const { refused, withCost } = await decide(args, context);
      if (refused !== undefined) setResultAndStopExecution(refused);
      return {
        onSubscribeResult: ({ result, setResult }) => {
          if (!isAsyncIterable(result)) {
            setResult(withCost(result));
            return undefined;
          }
          let isFirst = true;
          return {
            onNext: (next) => {
              if (isFirst) next.setResult(withCost(next.result));
              isFirst = false;
            },
          };
        },
      };
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
    // A stream may last for days: what an item read is ended with it.
    onSubscribe: ({ context }) => ({
      onSubscribeResult: () => ({ onNext: () => context.release(), onEnd: () => void context.end() }),
    }),
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
