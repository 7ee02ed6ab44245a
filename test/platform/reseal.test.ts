/** MASTER_KEY is changed: what lies sealed under the old key is sealed under the new one, by the command of an operator. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type MasterKeys, seal, sealPrefix, unseal } from '../../src/lib/crypto.ts';
import { newId } from '../../src/lib/ids.ts';
import { checkMasterKeys } from '../../src/platform/master-key.ts';
import { SEALED_COLUMNS } from '../../src/sealed-columns.ts';
import { createTestDatabase, query, type TestDatabase } from '../support/database.ts';

const OLD = Buffer.alloc(32, 'old');
const NEW = Buffer.alloc(32, 'new');
const BOTH: MasterKeys = [NEW, OLD];
const KEYS = fileURLToPath(new URL('../../src/keys.ts', import.meta.url));
/** More than two pieces. */
const SUBSCRIPTIONS = 1_100;

let database: TestDatabase;
const sql = (text: string, values: readonly unknown[] = []) => query(database.ownerUrl, text, values);

beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

/** The command, in a process of its own, with its two keys. */
function run(command: string, keys: MasterKeys): ChildProcess {
  const MASTER_KEY = keys.map((key) => key.toString('base64')).join(',');
  return spawn(process.execPath, [KEYS, command], {
    env: { PATH: process.env['PATH'] ?? '', DATABASE_URL: database.ownerUrl, MASTER_KEY },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

async function outcomeOf(
  child: ChildProcess,
): Promise<{ readonly code: number | null; readonly said: string }> {
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => void (said += chunk));
  const [code] = await once(child, 'close');
  return { code, said };
}

describe('npm run keys:reseal', () => {
  test('seals everything anew that the database holds, under the same bonds (webhooks rule 25)', async () => {
    const sealed = await sealEverything(3);
    expect(await outcomeOf(run('reseal', BOTH))).toEqual({
      code: 0,
      said: expect.stringMatching(/^9 values were sealed anew\.\n.*those behind it can be left out\.\n$/),
    });
    for (const { text, column, values, context } of sealed) {
      const [row] = await sql(text, values);
      expect(unseal([NEW], row?.[column] as Buffer, context).toString()).toBe(`of ${context}`);
    }
    await withClient((client) => checkMasterKeys(client, [NEW]));
    expect((await outcomeOf(run('reseal', BOTH))).said).toMatch(/^0 values/);
  });

  test('killed in the middle, leaves everything open to both keys, and goes on when it is run again', async () => {
    await sealEverything(SUBSCRIPTIONS);
    await withClient(async (holder) => {
      // The last row is held, so that the command stands still before its last piece.
      await holder.query('BEGIN');
      await holder.query(
        'SELECT FROM webhook_secrets ORDER BY organization_id DESC, id DESC LIMIT 1 FOR UPDATE',
      );
      const child = run('reseal', BOTH);
      const ended = outcomeOf(child);
      const waiting = await untilSomebodyWaits();
      child.kill('SIGKILL');
      expect((await ended).code).toBeNull();
      // Its last statement would come to pass without it.
      await holder.query('SELECT pg_terminate_backend($1, 10000)', [waiting]);
      await holder.query('ROLLBACK');
    });
    const [halfway] = await countSecrets();
    expect(halfway).toEqual({ new: '1000', old: '100' });
    await withClient(async (client) => {
      await checkMasterKeys(client, BOTH);
      await expect(checkMasterKeys(client, [NEW])).rejects.toThrow('does not open');
    });
    expect((await outcomeOf(run('reseal', BOTH))).code).toBe(0);
    expect(await countSecrets()).toEqual([{ new: String(SUBSCRIPTIONS), old: '0' }]);
  });

  test('leaves alone what somebody else changes meanwhile', async () => {
    await sealEverything(1);
    const changed = seal([NEW], Buffer.from('changed meanwhile'), 'whatever');
    await withClient(async (holder) => {
      await holder.query('BEGIN');
      await holder.query('UPDATE webhook_secrets SET sealed = $1', [changed]);
      const ended = outcomeOf(run('reseal', BOTH));
      await untilSomebodyWaits();
      await holder.query('COMMIT');
      expect((await ended).code).toBe(0);
    });
    const [row] = await sql('SELECT sealed FROM webhook_secrets');
    expect(row?.['sealed']).toEqual(changed);
  });

  test('does nothing without the old key, and says so', async () => {
    await sealEverything(1);
    const { code, said } = await outcomeOf(run('reseal', [NEW]));
    expect(code).toBe(1);
    expect(said).toContain('give the new key first and the old one after a comma');
  });
});

test('npm run keys:rotate makes a key that signs in ten minutes, and says which (rule 59)', async () => {
  const { code, said } = await outcomeOf(run('rotate', [NEW]));
  const [key] = await sql(
    `SELECT id, to_char(signs_from AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS begins FROM signing_keys`,
  );
  expect(code).toBe(0);
  expect(said).toBe(`The key ${String(key?.['id'])} signs access tokens from ${String(key?.['begins'])}.\n`);
});

test('A command that is none says which there are', async () => {
  expect(await outcomeOf(run('rotat', [NEW]))).toEqual({
    code: 1,
    said: 'Expected one of: rotate, rotate --end-tokens, reseal.\n',
  });
});

test('Every column of sealed values is known to the command', async () => {
  const rows = await sql(
    `SELECT table_name || '.' || column_name AS name FROM information_schema.columns
     WHERE table_schema = 'public' AND column_name LIKE 'sealed%'`,
  );
  const known = SEALED_COLUMNS.map(({ table, column }) => `${table}.${column}`);
  expect(known.toSorted()).toEqual(rows.map(({ name }) => String(name)).toSorted());
});

type Sealed = {
  readonly text: string;
  readonly column: string;
  readonly values: readonly unknown[];
  readonly context: string;
};

/** So many subscriptions with secrets and headers, and one of everything else, sealed under the old key. */
async function sealEverything(subscriptions: number): Promise<readonly Sealed[]> {
  const [organization, user] = [newId(), newId()];
  await sql(`INSERT INTO organizations (id, slug, name) VALUES ($1, 'school', 'School')`, [organization]);
  await sql(`INSERT INTO users (id, email, name) VALUES ($1, 'a@school.example', 'A')`, [user]);
  const ids = Array.from({ length: subscriptions }, () => newId());
  const all = ids.map((id) => sealOld(id));
  await sql(
    `INSERT INTO webhook_subscriptions (organization_id, id, target_url, event_types, sealed_headers)
     SELECT $1, id, 'https://lms.example', '{*}', sealed FROM unnest($2::uuid[], $3::bytea[]) AS s (id, sealed)`,
    [organization, ids, all],
  );
  await sql(
    `INSERT INTO webhook_secrets (organization_id, id, subscription_id, sealed)
     SELECT $1, uuidv7(), id, sealed FROM unnest($2::uuid[], $3::bytea[]) AS s (id, sealed)`,
    [organization, ids, all],
  );
  await sql(
    `INSERT INTO signing_keys (id, algorithm, public_jwk, sealed_private, signs_from) VALUES ('kid', 'ES256', '{}', $1, now())`,
    [sealOld('kid')],
  );
  await sql('INSERT INTO second_factors (user_id, sealed_secret, last_used_step) VALUES ($1, $2, 0)', [
    user,
    sealOld(`second-factor:${user}`),
  ]);
  const answerContext = JSON.stringify(['mutation_idempotency_keys', organization, user, 'client', 'once']);
  await sql(
    `INSERT INTO mutation_idempotency_keys (organization_id, user_id, client_id, key, operation, request_hash, sealed_answer, expires_at)
     VALUES ($1, $2, 'client', 'once', 'create', '', $3, now() + interval '1 day')`,
    [organization, user, sealOld(answerContext)],
  );
  const [first = ''] = ids;
  return [
    {
      text: 'SELECT * FROM webhook_subscriptions WHERE id = $1',
      column: 'sealed_headers',
      values: [first],
      context: first,
    },
    {
      text: 'SELECT * FROM webhook_secrets WHERE subscription_id = $1',
      column: 'sealed',
      values: [first],
      context: first,
    },
    { text: 'SELECT * FROM signing_keys', column: 'sealed_private', values: [], context: 'kid' },
    {
      text: 'SELECT * FROM second_factors',
      column: 'sealed_secret',
      values: [],
      context: `second-factor:${user}`,
    },
    {
      text: 'SELECT * FROM mutation_idempotency_keys',
      column: 'sealed_answer',
      values: [],
      context: answerContext,
    },
  ];
}

function sealOld(context: string): Buffer {
  return seal([OLD], Buffer.from(`of ${context}`), context);
}

function countSecrets() {
  return sql(
    `SELECT count(*) FILTER (WHERE is_new) AS new, count(*) FILTER (WHERE NOT is_new) AS old
     FROM (SELECT substring(sealed FROM 1 FOR 4) = $1 AS is_new FROM webhook_secrets) AS secrets`,
    [sealPrefix(NEW)],
  );
}

/** Until a statement on this database waits for a row; answers whose that is. */
async function untilSomebodyWaits(): Promise<number> {
  return withClient(async (client) => {
    for (;;) {
      const { rows } = await client.query<{ pid: number }>(
        `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      if (rows[0] !== undefined) return rows[0].pid;
    }
  });
}

async function withClient<T>(use: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: database.ownerUrl });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}
