/** The schema itself (GraphQL conventions 3, 5, 10): described, guarded, printed. */
import { readFile } from 'node:fs/promises';
import {
  type GraphQLField,
  type GraphQLNamedType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isNonNullType,
  isObjectType,
  isSpecifiedScalarType,
  isUnionType,
  validateSchema,
} from 'graphql';
import { describe, expect, test } from 'vitest';
import { isScope } from '../../src/accounts/scope.ts';
import type { Requirement, SessionRequirement } from '../../src/accounts/viewer.ts';
import { NODE_TYPES } from '../../src/graphql/global-id.ts';
import { printSortedSchema } from '../../src/graphql/print.ts';
import { createSchema } from '../../src/graphql/schema.ts';

const schema = createSchema({ onUnusedQuery: 'error' });
const types = Object.values(schema.getTypeMap()).filter(
  (type) => !isIntrospectionType(type) && !isSpecifiedScalarType(type),
);

const rootFields = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].flatMap(
  (type) =>
    Object.values(type?.getFields() ?? {}).map((field) => [`${type?.name}.${field.name}`, field] as const),
);

test('is valid', () => {
  expect(validateSchema(schema)).toEqual([]);
});

test('is printed, sorted, in schema.graphql (convention 10)', async () => {
  const file = await readFile(new URL('../../schema.graphql', import.meta.url), 'utf8');
  expect(file, 'Run: node scripts/print-schema.ts').toBe(printSortedSchema());
});

test('describes every type, field, argument, enum value and input field (convention 5)', () => {
  expect(types.flatMap(withoutDescription)).toEqual([]);
});

describe('Who may', () => {
  test.for(rootFields)('%s declares it', ([, field]) => {
    expect(isAccess(field.extensions['access'])).toBe(true);
  });

  test('changes nothing without a scope; what no token may is an admin’s, the platform’s, or about the own sessions or accounts', () => {
    const all = rootFields.filter(([name]) => name.startsWith('Mutation.'));
    const own = all.filter(([, field]) => field.extensions['access'] === 'session');
    expect(own.map(([name]) => name).toSorted()).toEqual([
      'Mutation.endOtherSessions',
      'Mutation.endSession',
      'Mutation.resetSecondFactor',
      'Mutation.revokeConnectedApp',
    ]);
    const platform = all.filter(([, field]) => field.extensions['access'] === 'platform admin');
    expect(platform.map(([name]) => name)).toEqual(['Mutation.reviewOAuthClient']);
    const mutations = all.filter((mutation) => ![...own, ...platform].includes(mutation));
    expect(mutations.length).toBeGreaterThan(8);
    for (const [, field] of mutations) {
      const { scope, roles } = field.extensions['access'] as SessionRequirement | Requirement; // As the test above says.
      expect(scope ?? 'write:by session').toMatch(/^write:/);
      expect(roles).toContain('ADMIN');
      expect(roles.includes('STUDENT')).toBe(scope === 'write:tasks');
      expect(scope === null && roles.length > 1).toBe(false);
    }
  });

  test('is more than the admins for invitations and learning alone', () => {
    const open = rootFields.filter(([name, { extensions }]) => {
      const { roles } = extensions['access'] as { roles?: readonly string[] }; // As the test above says.
      return name.startsWith('Mutation.') && roles !== undefined && roles.length > 1;
    });
    expect(open.map(([name]) => name).toSorted()).toEqual([
      'Mutation.awardBadge',
      'Mutation.changeQuestStatus',
      'Mutation.completeTask',
      'Mutation.createBadge',
      'Mutation.createQuest',
      'Mutation.inviteMember',
      'Mutation.recordGrade',
      'Mutation.resendInvitation',
      'Mutation.reviewSubmission',
      'Mutation.revokeInvitation',
      'Mutation.startQuest',
      'Mutation.submitTask',
      'Mutation.updateQuest',
    ]);
  });

  test('is anyone for the viewer and for catalogues that hold nothing of anybody only', () => {
    const open = rootFields.filter(([, field]) => field.extensions['access'] === 'anyone');
    expect(open.map(([name]) => name).toSorted()).toEqual([
      'Query.oauthClientPresets',
      'Query.scopes',
      'Query.viewer',
    ]);
  });
});

describe('Mutations (convention 3)', () => {
  const mutations = Object.values(schema.getMutationType()?.getFields() ?? {});

  test.for(mutations)('$name takes one input and answers a union of payload and errors', (mutation) => {
    expect(mutation.args.map(({ name, type }) => [name, isNonNullType(type)])).toEqual([['input', true]]);
    const name = `${mutation.name[0]?.toUpperCase()}${mutation.name.slice(1)}`;
    expect(String(mutation.args[0]?.type)).toBe(`${name}Input!`);
    expect(String(mutation.type)).toBe(`${name}Result!`);
    const union = schema.getType(`${name}Result`);
    const members = isUnionType(union) ? union.getTypes() : [];
    expect(members.map((type) => type.name)).toContain(`${name}Payload`);
    const errors = members.filter((type) => type.name !== `${name}Payload`);
    expect(errors.map((type) => type.getInterfaces().map(String))).toEqual(errors.map(() => ['Error']));
    expect(errors.map((type) => type.name)).toContain('ForbiddenError');
  });
});

test('knows every node by its global id', () => {
  const node = schema.getType('Node');
  const names = isInterfaceType(node) ? schema.getPossibleTypes(node).map(({ name }) => name) : [];
  expect(names.toSorted()).toEqual([...NODE_TYPES].toSorted());
});

function isAccess(access: unknown): boolean {
  if (['anyone', 'signed in', 'session', 'platform admin'].some((known) => known === access)) return true;
  const { scope, roles } = (access ?? {}) as { scope?: unknown; roles?: unknown }; // Whatever was declared.
  const isKnown = scope === null || (typeof scope === 'string' && isScope(scope));
  return isKnown && Array.isArray(roles) && roles.length > 0;
}

function withoutDescription(type: GraphQLNamedType): string[] {
  return [
    ...missing(type.name, type),
    ...(isObjectType(type) || isInterfaceType(type)
      ? Object.values(type.getFields()).flatMap((field) => ofField(type.name, field))
      : []),
    ...(isInputObjectType(type)
      ? Object.values(type.getFields()).flatMap((field) => missing(`${type.name}.${field.name}`, field))
      : []),
    ...(isEnumType(type)
      ? type.getValues().flatMap((value) => missing(`${type.name}.${value.name}`, value))
      : []),
  ];
}

function ofField(typeName: string, field: GraphQLField<unknown, unknown>): string[] {
  const name = `${typeName}.${field.name}`;
  return [...missing(name, field), ...field.args.flatMap((arg) => missing(`${name}(${arg.name})`, arg))];
}

function missing(
  name: string,
  { description }: { readonly description?: string | null | undefined },
): string[] {
  return description === undefined || description === null || description === '' ? [name] : [];
}
