/** How the schema may change (GraphQL conventions 5, 10): deprecations say until when, and what to use; breaking changes are seen. */
import {
  buildSchema,
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
} from 'graphql';
import { describe, expect, test } from 'vitest';
import { createSchema } from '../../src/graphql/schema.ts';
import { printSchemaChanges } from '../../src/graphql/schema-changes.ts';

type Deprecatable = { readonly name: string; readonly deprecationReason?: string | null | undefined };

/** Everything in a schema that can be deprecated, by its way from the type. */
function deprecatables(schema: GraphQLSchema): readonly (readonly [string, Deprecatable])[] {
  return Object.values(schema.getTypeMap()).flatMap((type) => {
    if (type.name.startsWith('__')) return [];
    const under = (one: Deprecatable) => [`${type.name}.${one.name}`, one] as const;
    if (isEnumType(type)) return type.getValues().map(under);
    if (isInputObjectType(type)) return Object.values(type.getFields()).map(under);
    if (!isObjectType(type) && !isInterfaceType(type)) return [];
    return Object.values(type.getFields()).flatMap((field) => [
      under(field),
      ...field.args.map((argument) => [`${type.name}.${field.name}(${argument.name})`, argument] as const),
    ]);
  });
}

/** Those whose reason does not name the day of its end, and a replacement in backticks. */
function unexplained(schema: GraphQLSchema): readonly string[] {
  return deprecatables(schema)
    .filter(([, { deprecationReason: reason }]) => reason !== undefined && reason !== null)
    .filter(
      ([, { deprecationReason: reason }]) => !/^Until \d{4}-\d{2}-\d{2}: use `[^`]+`/.test(reason ?? ''),
    )
    .map(([name]) => name);
}

describe('Deprecations (convention 5)', () => {
  test('carry a date and a replacement', () => {
    expect(unexplained(createSchema())).toEqual([]);
  });

  test('without them are found, wherever they stand', () => {
    const schema = buildSchema(`
      type Query {
        good: Int @deprecated(reason: "Until 2027-06-30: use \`better\` instead.")
        old: Int @deprecated
        some(old: Int @deprecated(reason: "Use another.")): E
      }
      input I { old: Int @deprecated(reason: "Until 2027-06-30.") }
      enum E { OLD @deprecated(reason: "use \`NEW\`") }
    `);
    expect(unexplained(schema)).toEqual(['Query.old', 'Query.some(old)', 'I.old', 'E.OLD']);
  });
});

describe('Changes of the printed schema (convention 10)', () => {
  const before = 'type Query { "One." a: Int b: Int } enum E { A }';

  test('that break clients are told first', () => {
    const after = 'type Query { "Another." a: Int! c(x: Int): E } enum E { A B }';
    expect(printSchemaChanges(before, after)).toEqual({
      lines: [
        'breaking: Field Query.b was removed.',
        'dangerous: Enum value E.B was added.',
        'safe: Field Query.c was added.',
        'safe: Field Query.a changed type from Int to Int!.',
      ],
      isBreaking: true,
    });
  });

  test('are none if only words changed', () => {
    const after = before.replace('One', 'Another');
    expect(printSchemaChanges(before, after)).toEqual({ lines: [], isBreaking: false });
  });
});
