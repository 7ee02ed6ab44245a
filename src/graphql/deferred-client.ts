/** The Prisma client that Pothos loads relations with: each call becomes a read of the operation's transaction. */
import type { PrismaClient } from '../generated/prisma/client.ts';
import type { GraphQLContext } from './context.ts';

type Delegate = Readonly<Record<string, (query: unknown) => Promise<unknown>>>;

/** A stand-in for the client. It knows the methods that only read. */
export function deferredClient(context: GraphQLContext): PrismaClient {
  const client = new Proxy(
    {},
    {
      has: () => true,
      get: (_target, model) => (typeof model === 'string' ? deferredDelegate(context, model) : undefined),
    },
  );
  // Pothos takes from a client its models and their methods only.
  return client as PrismaClient;
}

const METHODS = ['findUnique', 'findUniqueOrThrow', 'findFirst', 'findMany', 'count'] as const;

function deferredDelegate(context: GraphQLContext, model: string): Delegate {
  return Object.fromEntries(
    METHODS.map((method) => [
      method,
      (query: unknown) =>
        context.features().context.read(async (tx) => {
          // Pothos names models of the schema, with queries it made for them.
          const delegate = (tx as unknown as Readonly<Record<string, Delegate>>)[model];
          const call = delegate?.[method];
          if (call === undefined) throw new Error(`There is no ${model}.${method}.`);
          return call.call(delegate, query);
        }),
    ]),
  );
}
