/** docs/who-may.md names each field and route with its scope and roles, and the code declares the same. */
import { getNamedType, isObjectType, isScalarType } from 'graphql';
import { describe, expect, test } from 'vitest';
import { SCOPES } from '../../src/accounts/scope.ts';
import { createSchema } from '../../src/graphql/schema.ts';
import { describeApi } from '../../src/rest/openapi.ts';
import { createRestRoutes } from '../../src/rest/routes.ts';
import { REST_DEPENDENCIES } from '../rest/unused.ts';
import { OPERATIONS, type OperationRow } from './tables.ts';

const schema = createSchema();
const ROOTS = ['Query', 'Mutation', 'Subscription'];

/** The fields by which anything is reached, and those that declare for themselves who may. */
const fields = Object.values(schema.getTypeMap()).flatMap((type) =>
  isObjectType(type)
    ? Object.values(type.getFields())
        .filter(
          (field) =>
            ROOTS.includes(type.name) ||
            field.extensions['access'] !== undefined ||
            (type.name === 'Organization' && !isScalarType(getNamedType(field.type))),
        )
        .map((field) => [`${type.name}.${field.name}`, field.extensions['access']] as const)
    : [],
);

const document = describeApi({
  rest: createRestRoutes(REST_DEPENDENCIES),
  publicUrl: 'https://connect.optio.example',
});
const routes = Object.entries(document.paths ?? {}).flatMap(([path, methods]) =>
  Object.entries(methods ?? {}).flatMap(([method, { security }]) => {
    const name = `${method.toUpperCase()} ${path}`;
    if (security?.some((one: object) => 'session' in one)) return [[name, 'none'] as const];
    const needed = security?.find((one: object) => 'oauth2' in one);
    return needed === undefined ? [] : [[name, needed['oauth2'][0]] as const];
  }),
);

describe('docs/who-may.md', () => {
  test('names every field by which something is reached, once: a new one goes into the row of its role and scope', () => {
    const named = OPERATIONS.flatMap((row) => row.fields);
    expect(named.toSorted()).toEqual(fields.map(([name]) => name).toSorted());
  });

  test('names every REST route, once: a new one goes into the row of its role and scope', () => {
    const named = OPERATIONS.flatMap((row) => row.routes);
    expect(named.toSorted()).toEqual(routes.map(([name]) => name).toSorted());
  });

  // Without a declaration of its own the feature asks, which the tests of the doors try out.
  test.for(fields.filter(([, declared]) => declared !== undefined))(
    'says of %s what the code declares',
    ([name, declared]) => {
      const row = OPERATIONS.find((one) => one.fields.includes(name));
      expect(declarations(row)).toContainEqual(declared);
    },
  );

  test.for(routes)('says of %s the scope of the OpenAPI document', ([name, scope]) => {
    const row = OPERATIONS.find((one) => one.routes.includes(name));
    expect(scope ?? 'any').toBe(row?.scope);
  });

  test('has roles and scopes that there are', () => {
    const known = ['ADMIN', 'EDUCATOR', 'STUDENT', 'platform admin', 'any', 'anyone'];
    const scopes = [...SCOPES.map(({ name }) => name), 'none', 'any', 'anyone'];
    expect(OPERATIONS.flatMap(({ roles }) => roles.filter((role) => !known.includes(role)))).toEqual([]);
    expect(OPERATIONS.filter(({ scope }) => !scopes.includes(scope))).toEqual([]);
  });
});

/** What a field of the row may declare. */
function declarations(row: OperationRow | undefined): readonly unknown[] {
  if (row === undefined) return [];
  const { roles, scope } = row;
  if (scope === 'anyone') return ['anyone'];
  if (scope === 'any') return ['signed in'];
  // Where an ADMIN may, too, the feature asks which of both it is.
  if (roles.includes('platform admin')) return [roles.length === 1 ? 'platform admin' : 'session'];
  if (scope === 'none') return [{ scope: null, roles }, ...(roles.length === 3 ? ['session'] : [])];
  return [{ scope, roles }];
}
