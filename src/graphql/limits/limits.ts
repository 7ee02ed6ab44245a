/** What an operation may cost before it is executed; the same on every transport. */
import { GraphQLError, type GraphQLErrorOptions, type ValidationRule } from 'graphql';
import { limitAliases } from './aliases.ts';
import { limitDepth } from './depth.ts';

export type Limits = {
  /** Lexical tokens of a document. */
  readonly maxTokens: number;
  /** Levels of fields, fragments unfolded. */
  readonly maxDepth: number;
  /** Aliased fields of an operation, fragments unfolded. */
  readonly maxAliases: number;
  /** Points of one operation (cost.ts). */
  readonly maxCost: number;
  /** What a viewer may spend in a minute; without credentials an address may spend a tenth of it. */
  readonly pointsPerMinute: number;
  /** Live streams that a viewer may have open at a time, on all transports. */
  readonly maxStreams: number;
  /** WebSockets that a viewer may have open at a time: those of its streams, and as many that are being replaced. */
  readonly maxSockets: number;
};

export const DEFAULT_POINTS_PER_MINUTE = 600_000;

// The standard introspection query is 15 levels deep.
export const DEFAULT_LIMITS: Limits = {
  maxTokens: 2_000,
  maxDepth: 15,
  maxAliases: 30,
  maxCost: 10_000,
  pointsPerMinute: DEFAULT_POINTS_PER_MINUTE,
  maxStreams: 100,
  maxSockets: 200,
};

/** The rules beside the specification's, checked once per document; their names tell them apart in the cache. */
export function limitRules({ maxDepth, maxAliases }: Limits): readonly ValidationRule[] {
  return [limitDepth(maxDepth), limitAliases(maxAliases)];
}

/** The same code and status for every parse error on every transport; an overlong document's in our words. */
export function explainParseError(error: unknown, { maxTokens }: Limits): unknown {
  // Lists in lists and objects in objects: within the limit of tokens they can still be too deep for the parser's stack.
  if (error instanceof RangeError) return parseError('The document is nested too deeply to be read.');
  if (!(error instanceof GraphQLError)) return error;
  const { message, source, positions } = error;
  const isOverlong = message.includes('tokens. Parsing aborted');
  const text = isOverlong ? `The document has more than ${maxTokens.toLocaleString('en')} tokens.` : message;
  return parseError(text, { source, positions });
}

function parseError(
  message: string,
  at: Pick<GraphQLErrorOptions, 'source' | 'positions'> = {},
): GraphQLError {
  const extensions = { code: 'GRAPHQL_PARSE_FAILED', http: { status: 400, spec: true } };
  return new GraphQLError(message, { ...at, extensions });
}
