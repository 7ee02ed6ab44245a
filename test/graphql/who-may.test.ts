/**
 * Who may (webhooks.md, "Who may"): each row of docs/who-may.md tried out field by field, by sessions of every role,
 * tokens of clients with and without the scope, and tokens of users of every role.
 */
import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLInputType,
  getNamedType,
  isCompositeType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isObjectType,
} from 'graphql';
import type { Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { holdsScope, isScope, SCOPES } from '../../src/accounts/scope.ts';
import { resetSecondFactor } from '../../src/accounts/second-factor-reset.ts';
import type { Viewer } from '../../src/accounts/viewer.ts';
import { globalId, type NodeType } from '../../src/graphql/global-id.ts';
import { createSchema } from '../../src/graphql/schema.ts';
import { newId } from '../../src/lib/ids.ts';
import { createPool } from '../../src/platform/database/pool.ts';
import { OPERATIONS, type OperationRow } from '../docs/tables.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { seedLearning } from './seed-learning.ts';
import { seedDelivery, startServer, type TestServer } from './support.ts';
import { ADMIN_ID, NORTH, NOW } from './viewers.ts';

const schema = createSchema();
const ROLES = ['ADMIN', 'EDUCATOR', 'STUDENT'] as const;
type Role = (typeof ROLES)[number];

/** Somebody who asks; as its token. */
type Asker = {
  readonly name: string;
  readonly role: Role | 'CLIENT';
  /** Null: a session. */
  readonly scopes: readonly string[] | null;
  readonly isPlatformAdmin?: boolean;
};

let server: TestServer;
/** What leads to a type that is not reached from the root alone; in it, the field. */
let paths: Readonly<Record<string, (field: string) => string>>;

/** As the authorization server logs in. */
let pool: Pool;
let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool({ url: database.urls.authUrl, maxConnections: 2, onIdleError: () => undefined });
  server = await startServer(
    ({ people }) => ({
      resetSecondFactor: (...request) => resetSecondFactor({ ...people, pool })(...request),
      authenticate: async (headers) => {
        const asker = headers.get('x-asker');
        return asker === null ? null : viewerOf(JSON.parse(asker) as Asker); // As `ask` sends it.
      },
      connectedApps: { list: async () => [], revoke: async () => undefined },
      ownSessions: {
        list: async () => [],
        memberships: async () => [],
        end: async () => undefined,
        endOthers: async () => 0,
      },
    }),
    database,
  );
  const { eventId } = await seedDelivery(server, NORTH);
  const seeded = await seedLearning(server, NORTH, STUDENT_ID);
  const node = (type: NodeType, id: string) => (field: string) =>
    `{ node(id: "${globalId(type, id)}") { ... on ${type} { ${field} } } }`;
  const [enrolment, learner] = [node('Enrolment', seeded.enrolmentId), node('Learner', STUDENT_ID)];
  paths = {
    Event: node('Event', eventId),
    Quest: node('Quest', seeded.questId),
    Task: node('Task', seeded.taskId),
    Submission: node('Submission', seeded.submissionId),
    Enrolment: enrolment,
    Learner: learner,
    TaskCompletion: (field) => enrolment(`completions { ${field} }`),
    BadgeAward: (field) => learner(`badges { ${field} }`),
    Organization: (field) => `{ organization { ${field} } }`,
    Viewer: (field) => `{ viewer { ${field} } }`,
  };
});
afterAll(async () => {
  await server.close();
  await pool.end();
  await database.drop();
});

/** A student sees what is its own. */
const STUDENT_ID = newId();
const USER_IDS: Readonly<Record<Role, string>> = {
  ADMIN: ADMIN_ID,
  EDUCATOR: newId(),
  STUDENT: STUDENT_ID,
};

function viewerOf({ role, scopes, isPlatformAdmin = false }: Asker): Viewer {
  return {
    organizationId: NORTH,
    role,
    userId: role === 'CLIENT' ? null : USER_IDS[role],
    clientId: scopes === null ? null : 'asking-client',
    scopes,
    expiresAt: new Date(NOW.getTime() + 3_600_000),
    tokenId: null,
    ...(scopes === null ? { session: { id: newId(), isPlatformAdmin } } : {}),
  };
}

const ALL = SCOPES.map(({ name }) => name);
/** What leads to a field, beside its own scope. */
const WAY: Readonly<Record<string, readonly string[]>> = {
  Event: ['read:webhooks'],
  Quest: ['read:quests'],
  Task: ['read:tasks'],
  Submission: ['read:tasks'],
  Enrolment: ['read:tasks'],
  Learner: ['read:tasks'],
  TaskCompletion: ['read:tasks'],
  BadgeAward: ['read:tasks'],
};

/** Everybody there is to ask for a field of the row, and whether it may. */
function askersOf({ roles, scope }: OperationRow, field: string): readonly (readonly [Asker, boolean])[] {
  const way = WAY[field.split('.')[0] ?? ''] ?? [];
  const everybody = scope === 'any' || scope === 'anyone';
  const wanted = isScope(scope) ? scope : undefined;
  const enough = wanted === undefined ? ALL : [...way, wanted];
  const tooLittle = wanted === undefined ? [] : ALL.filter((name) => !holdsScope([name], wanted));
  const mayToken = scope !== 'none';
  const isIn = (role: Role): boolean => everybody || roles.includes(role);
  return [
    ...ROLES.map((role) => [{ name: `a session of ${role}`, role, scopes: null }, isIn(role)] as const),
    [
      { name: 'a session of a platform admin', role: 'ADMIN', scopes: null, isPlatformAdmin: true },
      isIn('ADMIN') || roles.includes('platform admin'),
    ],
    [{ name: 'a client with the scope', role: 'CLIENT', scopes: enough }, mayToken],
    [{ name: 'a client with every other scope', role: 'CLIENT', scopes: tooLittle }, everybody],
    ...ROLES.flatMap((role) => [
      [{ name: `a token of ${role} with the scope`, role, scopes: enough }, mayToken && isIn(role)] as const,
      [{ name: `a token of ${role} without it`, role, scopes: tooLittle }, everybody] as const,
    ]),
  ];
}

type Answered = {
  readonly data?: Record<string, unknown> | null;
  readonly errors?: readonly { readonly message: string; readonly extensions?: { readonly code?: string } }[];
};

const CASES = OPERATIONS.flatMap((row) =>
  row.fields.map((field) => ({ row, field, operation: row.operation })),
);

describe('Who may', () => {
  test.for(CASES)('$operation: $field, who the table lets, and nobody else', async ({ row, field }) => {
    const askers = askersOf(row, field);
    const outcomes = await inTurn(askers, async ([asker]) => [
      asker.name,
      outcomeOf(await ask(asker, operationOf(field)), asker),
    ]);
    expect(outcomes).toEqual(askers.map(([asker, may]) => [asker.name, may ? 'may' : refusalOf(asker, row)]));
  });

  test.for(CASES)('$operation: $field without credentials', async ({ row, field }) => {
    const { errors } = await ask(undefined, operationOf(field));
    // Without credentials there is no viewer to ask about.
    const code = row.scope === 'anyone' || field.startsWith('Viewer.') ? undefined : 'UNAUTHENTICATED';
    expect(errors?.[0]?.extensions?.code).toBe(code);
  });
});

/** A client has no role: what it lacks is the scope, by its name. */
function refusalOf({ role }: Asker, { scope }: OperationRow): string {
  return role === 'CLIENT' && isScope(scope) ? `lacks ${scope}` : 'may not';
}

async function inTurn<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}

async function ask(asker: Asker | undefined, query: string): Promise<Answered> {
  const isStream = query.startsWith('subscription');
  const response = await fetch(server.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: isStream ? 'text/event-stream' : 'application/json',
      ...(asker === undefined ? {} : { 'x-asker': JSON.stringify(asker) }),
      // What a session by cookie needs.
      'x-graphql-preflight': '1',
    },
    body: JSON.stringify({ query }),
  });
  const text = await response.text();
  const body = isStream ? (/^data: (.+)$/m.exec(text)?.[1] ?? text) : text;
  return JSON.parse(body) as Answered; // As GraphQL answers.
}

/** Refused is who is told so, as an error or as a result; for a client, with the scope that it lacks. */
function outcomeOf(answered: Answered, { role }: Asker): string {
  const { data, errors = [] } = answered;
  const codes = errors.map(({ extensions }) => extensions?.code);
  // What was not executed tells nothing.
  expect(codes.filter((code) => code?.startsWith('GRAPHQL_'))).toEqual([]);
  const text = JSON.stringify(answered);
  const isError = codes.includes('FORBIDDEN') || codes.includes('UNAUTHENTICATED');
  if (!isError && !JSON.stringify(data ?? '').includes('ForbiddenError')) return 'may';
  const [, scope] = /needs the scope ([a-z:]+)/.exec(text) ?? [];
  return role === 'CLIENT' && scope !== undefined ? `lacks ${scope}` : 'may not';
}

/** An operation that asks for one field, with arguments that fit its types and say nothing. */
function operationOf(name: string): string {
  const [typeName = '', fieldName = ''] = name.split('.');
  const type = schema.getType(typeName);
  const field = isObjectType(type) ? type.getFields()[fieldName] : undefined;
  if (field === undefined) throw new Error(`There is no field ${name}.`);
  const asked = printField(field);
  const path = paths[typeName];
  if (path !== undefined) return path(asked);
  return `${typeName.toLowerCase()} { ${asked} }`;
}

function printField({ name, args, type }: GraphQLField<unknown, unknown>): string {
  const given = args.filter(isNeeded).map((arg) => `${arg.name}: ${valueOf(arg.type)}`);
  const list = given.length === 0 ? '' : `(${given.join(', ')})`;
  const named = getNamedType(type);
  if (!isCompositeType(named)) return `${name}${list}`;
  const message = named.name.endsWith('Result') ? ' ... on Error { message }' : '';
  return `${name}${list} { __typename${message} }`;
}

function isNeeded({ type, defaultValue }: GraphQLArgument | GraphQLInputField): boolean {
  return isNonNullType(type) && defaultValue === undefined;
}

const VALUES: Readonly<Record<string, string>> = {
  ID: JSON.stringify(globalId('Organization', NORTH)),
  Int: '1',
  Float: '1',
  Boolean: 'true',
  DateTime: '"2026-11-23T09:30:00Z"',
  URL: '"https://lms.example/hooks"',
  JSON: '{}',
};

/** A value of the type, as GraphQL writes it. */
function valueOf(type: GraphQLInputType): string {
  if (isNonNullType(type)) return valueOf(type.ofType);
  if (isListType(type)) return `[${valueOf(type.ofType)}]`;
  if (isEnumType(type)) return type.getValues()[0]?.name ?? '';
  if (!isInputObjectType(type)) return VALUES[type.name] ?? '"some text"';
  const fields = Object.values(type.getFields());
  const needed = type.isOneOf ? fields.slice(0, 1) : fields.filter(isNeeded);
  return `{ ${needed.map((field) => `${field.name}: ${valueOf(field.type)}`).join(', ')} }`;
}
