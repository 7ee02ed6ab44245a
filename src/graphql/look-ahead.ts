/** What an operation asks of the items of a list, known before they are resolved. */
import {
  type FieldNode,
  type GraphQLObjectType,
  type GraphQLResolveInfo,
  getNamedType,
  isObjectType,
  type SelectionSetNode,
} from 'graphql';
import { collectFields, type Operation, readValue } from './limits/operation-fields.ts';

/** A field that is asked of every item, and how it is called there. */
export type AskedField = {
  readonly name: string;
  /** The value of an argument; undefined if it is left out. */
  readonly argument: (name: string) => unknown;
};

/** The fields that are asked of the items of a connection, under `nodes` and `edges { node }`. */
export function fieldsOfItems(info: GraphQLResolveInfo): readonly AskedField[] {
  const operation: Operation = {
    schema: info.schema,
    fragments: new Map(Object.entries(info.fragments)),
    variable: (name) => info.variableValues.coerced[name],
  };
  const connection = { type: getNamedType(info.returnType), nodes: info.fieldNodes };
  const nodes = below(operation, connection, 'nodes');
  const edgeNodes = below(operation, connection, 'edges').flatMap((edges) => below(operation, edges, 'node'));
  return [...nodes, ...edgeNodes].flatMap((items) =>
    fieldsBelow(operation, items).map(({ node }) => ({
      name: node.name.value,
      argument: (name) =>
        readValue(operation, node.arguments?.find((argument) => argument.name.value === name)?.value),
    })),
  );
}

type Selected = { readonly type: unknown; readonly nodes: readonly FieldNode[] };

/** The fields of one name; more than one if they have aliases. */
function below(operation: Operation, selected: Selected, name: string): readonly Selected[] {
  return fieldsBelow(operation, selected)
    .filter(({ node }) => node.name.value === name)
    .map(({ type, nodes }) => ({ type: getNamedType(type.getFields()[name]?.type), nodes }));
}

function fieldsBelow(operation: Operation, { type, nodes }: Selected) {
  if (!isObjectType(type)) return [];
  const sets = nodes.flatMap(({ selectionSet }) => selectionSet ?? []);
  return groupsOf(operation, type, sets);
}

function groupsOf(operation: Operation, type: GraphQLObjectType, sets: readonly SelectionSetNode[]) {
  return [...collectFields(operation, type, sets).values()].map((nodes) => ({ type, nodes, node: nodes[0] }));
}
