/**
 * What an operation can cost at most: the objects that its answer could hold, told by the sizes of the lists it asks
 * for, before anything is executed. A list within a list multiplies.
 */
import {
  type DocumentNode,
  type FieldNode,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from 'graphql';
import { DEFAULT_SIZE, MAX_SIZE } from '../connection.ts';
import { collectFields, type Operation, readValue } from './operation-fields.ts';
import { BASE_PRICES, LIST_SIZES, SURCHARGES } from './prices.ts';

export type Cost = {
  /** In points. */
  readonly points: number;
  /** The way to the field that most of it is for, by response names. */
  readonly dearest: readonly string[];
};

export type OperationRequest = {
  readonly schema: GraphQLSchema;
  readonly document: DocumentNode;
  /** The operation that is meant; the first one, if left out. */
  readonly operationName?: string | null | undefined;
  /** As they came: not checked yet. */
  readonly variables?: Readonly<Record<string, unknown>> | null | undefined;
};

/** Estimates costs; what does not hang on variables is remembered as long as the document is. */
export function createCostEstimate(): (request: OperationRequest) => Cost {
  const known = new WeakMap<OperationDefinitionNode, Cost>();
  return (request) => {
    const definition = findOperation(request);
    const before = definition === undefined ? NOTHING : known.get(definition);
    if (definition === undefined || before !== undefined) return before ?? NOTHING;
    let isFixed = true;
    const operation = toOperation(request, definition, () => {
      isFixed = false;
    });
    const cost = costOfOperation(operation, definition);
    if (isFixed) known.set(definition, cost);
    return cost;
  };
}

const NOTHING: Cost = { points: 0, dearest: [] };

/** The operation of that name; the first one if no name is given, undefined if there is none. */
export function findOperation({
  document,
  operationName,
}: Pick<OperationRequest, 'document' | 'operationName'>): OperationDefinitionNode | undefined {
  return document.definitions.find(
    (definition): definition is OperationDefinitionNode =>
      definition.kind === Kind.OPERATION_DEFINITION &&
      (operationName === undefined || operationName === null || definition.name?.value === operationName),
  );
}

function toOperation(
  { schema, document, variables }: OperationRequest,
  definition: OperationDefinitionNode,
  onVariable: () => void,
): Operation {
  const fragments = new Map(
    document.definitions.flatMap((one) =>
      one.kind === Kind.FRAGMENT_DEFINITION ? [[one.name.value, one] as const] : [],
    ),
  );
  const operation: Operation = {
    schema,
    fragments,
    variable: (name) => {
      onVariable();
      const given = variables?.[name];
      if (given !== undefined) return given;
      const declared = definition.variableDefinitions?.find(({ variable }) => variable.name.value === name);
      return readValue(operation, declared?.defaultValue);
    },
  };
  return operation;
}

function costOfOperation(operation: Operation, definition: OperationDefinitionNode): Cost {
  const root = operation.schema.getRootType(definition.operation);
  const base = BASE_PRICES[definition.operation];
  if (root === undefined || root === null) return { points: base, dearest: [] };
  const { points, dearest } = createWalk(operation)(root, [definition.selectionSet], undefined);
  return { points: base + points, dearest };
}

type Walk = (
  type: GraphQLOutputType,
  sets: readonly SelectionSetNode[],
  pageSize: number | undefined,
) => Cost;

/** Each selection is reckoned once for a type and page size, so that fragments within fragments cannot blow it up. */
function createWalk(operation: Operation): Walk {
  const known = new Map<SelectionSetNode, Map<string, Cost>>();
  const walkObject = (
    type: GraphQLObjectType,
    sets: readonly SelectionSetNode[],
    pageSize: number | undefined,
  ): Cost => {
    const only = sets.length === 1 ? sets[0] : undefined;
    const key = `${type.name} ${pageSize ?? ''}`;
    const before = only === undefined ? undefined : known.get(only)?.get(key);
    if (before !== undefined) return before;
    const costs = [...collectFields(operation, type, sets)].map(([name, nodes]) => {
      const cost = costOfField(operation, walk, { type, nodes, pageSize });
      return { points: cost.points, dearest: [name, ...cost.dearest] };
    });
    const cost = addUp(costs);
    if (only !== undefined) known.set(only, (known.get(only) ?? new Map<string, Cost>()).set(key, cost));
    return cost;
  };
  const walk: Walk = (type, sets, pageSize) => {
    const named = getNamedType(type);
    if (isObjectType(named)) return walkObject(named, sets, pageSize);
    if (!isAbstractType(named)) return NOTHING;
    // Each object has one of the types; the dearest of them counts.
    const costs = operation.schema
      .getPossibleTypes(named)
      .map((possible) => walkObject(possible, sets, pageSize));
    return costs.reduce(dearer, NOTHING);
  };
  return walk;
}

type Selected = {
  readonly type: GraphQLObjectType;
  readonly nodes: readonly [FieldNode, ...FieldNode[]];
  readonly pageSize: number | undefined;
};

function costOfField(operation: Operation, walk: Walk, { type, nodes, pageSize }: Selected): Cost {
  const name = nodes[0].name.value;
  const surcharge = SURCHARGES[`${type.name}.${name}`] ?? SURCHARGES[`*.${name}`] ?? 0;
  const field = type.getFields()[name];
  const sets = nodes.flatMap(({ selectionSet }) => selectionSet ?? []);
  // Without a selection it is a scalar, and what is no field of the type tells of the schema.
  if (sets.length === 0 || field === undefined) return { points: surcharge, dearest: [] };
  const said = sizeSaid(operation, nodes[0]);
  const isList = isListType(isNonNullType(field.type) ? field.type.ofType : field.type);
  const items = isList ? (said ?? LIST_SIZES[`${type.name}.${name}`] ?? pageSize ?? DEFAULT_SIZE) : 1;
  const hasPages = !isList && field.args.some((argument) => argument.name === 'first');
  const within = walk(field.type, sets, isList ? undefined : (said ?? (hasPages ? DEFAULT_SIZE : undefined)));
  const each = 1 + within.points;
  return { points: surcharge + items * each, dearest: within.points * 2 > each ? within.dearest : [] };
}

/** How many items the arguments of a field ask for: of itself, if it is a list, or of the list in it. */
function sizeSaid(operation: Operation, { arguments: given = [] }: FieldNode): number | undefined {
  const argument = (name: string): unknown =>
    readValue(operation, given.find((one) => one.name.value === name)?.value);
  const size = argument('first') ?? argument('last');
  // More than the most is refused when it is executed, with words of its own.
  if (typeof size === 'number') return Math.min(Math.max(0, size), MAX_SIZE);
  const ids = argument('ids');
  if (Array.isArray(ids)) return ids.length;
  const input = argument('input');
  const events: unknown = typeof input === 'object' && input !== null ? Reflect.get(input, 'events') : [];
  return Array.isArray(events) && events.length > 0 ? events.length : undefined;
}

/** The whole, and the way to its dearest part, if that is more than half of it. */
function addUp(costs: readonly Cost[]): Cost {
  const points = costs.reduce((sum, cost) => sum + cost.points, 0);
  return { points, dearest: costs.reduce(dearer, NOTHING).dearest };
}

function dearer(one: Cost, other: Cost): Cost {
  return other.points > one.points ? other : one;
}
