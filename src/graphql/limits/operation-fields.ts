/** The fields that an operation selects, as the executor collects them (GraphQL 6.3.2), before anything is executed. */
import {
  type DirectiveNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLObjectType,
  type GraphQLSchema,
  isAbstractType,
  Kind,
  type SelectionSetNode,
  type ValueNode,
} from 'graphql';
import { unreachable } from '../../lib/errors.ts';

/** The document around the selections, and the variables as they came. */
export type Operation = {
  readonly schema: GraphQLSchema;
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  /** The value of a variable; its default if it was left out. */
  readonly variable: (name: string) => unknown;
};

/** By their response names, the fields that are selected on a type; those under one name are one in the answer. */
export type SelectedFields = ReadonlyMap<string, readonly [FieldNode, ...FieldNode[]]>;

/** Collects them; what `@skip` or `@include` leave out is left out. */
export function collectFields(
  operation: Operation,
  type: GraphQLObjectType,
  selectionSets: readonly SelectionSetNode[],
): SelectedFields {
  const fields = new Map<string, [FieldNode, ...FieldNode[]]>();
  const spread = new Set<string>();
  const collect = ({ selections }: SelectionSetNode): void => {
    for (const selection of selections) {
      if (isLeftOut(operation, selection.directives)) continue;
      switch (selection.kind) {
        case Kind.FIELD: {
          const name = (selection.alias ?? selection.name).value;
          const known = fields.get(name);
          if (known === undefined) fields.set(name, [selection]);
          else known.push(selection);
          break;
        }
        case Kind.INLINE_FRAGMENT:
          if (applies(operation, selection.typeCondition?.name.value, type)) collect(selection.selectionSet);
          break;
        case Kind.FRAGMENT_SPREAD: {
          const fragment = operation.fragments.get(selection.name.value);
          if (fragment === undefined || spread.has(selection.name.value)) break;
          spread.add(selection.name.value);
          if (applies(operation, fragment.typeCondition.name.value, type)) collect(fragment.selectionSet);
          break;
        }
        default:
          unreachable(selection);
      }
    }
  };
  for (const selectionSet of selectionSets) collect(selectionSet);
  return fields;
}

/** What an argument, or a member of an input object, is given as; undefined if it is left out. */
export function readValue(operation: Operation, node: ValueNode | undefined): unknown {
  if (node === undefined) return undefined;
  switch (node.kind) {
    case Kind.INT:
    case Kind.FLOAT:
      return Number(node.value);
    case Kind.BOOLEAN:
    case Kind.STRING:
    case Kind.ENUM:
      return node.value;
    case Kind.NULL:
      return null;
    case Kind.VARIABLE:
      return operation.variable(node.name.value);
    case Kind.LIST:
      return node.values.map((value) => readValue(operation, value));
    case Kind.OBJECT:
      return Object.fromEntries(
        node.fields.map(({ name, value }) => [name.value, readValue(operation, value)]),
      );
    default:
      return unreachable(node);
  }
}

function applies({ schema }: Operation, condition: string | undefined, type: GraphQLObjectType): boolean {
  if (condition === undefined || condition === type.name) return true;
  const wanted = schema.getType(condition);
  return isAbstractType(wanted) && schema.isSubType(wanted, type);
}

function isLeftOut(operation: Operation, directives: readonly DirectiveNode[] | undefined): boolean {
  return (directives ?? []).some(({ name, arguments: given }) => {
    const condition = readValue(operation, given?.find((argument) => argument.name.value === 'if')?.value);
    return (name.value === 'skip' && condition === true) || (name.value === 'include' && condition === false);
  });
}
