/**
 * Connects Prisma's schema engine to PostgreSQL. The stock adapter is made for queries; for migrations it
 * falls short in three ways: it cuts scripts at every semicolon, does not know the type "char" that the
 * catalogue uses, and hands out the main database as the shadow database.
 */
import { randomBytes } from 'node:crypto';
import { PrismaPg } from '@prisma/adapter-pg';
import {
  ColumnTypeEnum,
  DriverAdapterError,
  type SqlDriverAdapter,
  type SqlMigrationAwareDriverAdapterFactory,
  type SqlQuery,
  type SqlResultSet,
} from '@prisma/driver-adapter-utils';
import { type ClientBase, DatabaseError, Pool, type QueryArrayConfig, type QueryArrayResult } from 'pg';

const CHAR_OID = 18;
const TEXT_OID = 25;
const SHADOW_PREFIX = 'optio_shadow_';
const SHADOW_LEFTOVER_AFTER_MS = 3_600_000;

/** Runs a whole script; the default sends it as one query. */
export type RunScript = (pool: Pool, script: string) => Promise<void>;

export type EngineAdapter = {
  readonly factory: SqlMigrationAwareDriverAdapterFactory;
  /** Ends the connections to the main database, which the engine leaves open. */
  readonly close: () => Promise<void>;
};

/** An adapter for the database of `url`. `runScript` is used for the main database only. */
export function createEngineAdapter(url: string, runScript: RunScript = runAsOneQuery): EngineAdapter {
  const pools: Pool[] = [];
  const connect = async () => {
    const pool = openPool(url);
    pools.push(pool);
    return adapt(pool, { runScript, dispose: async () => undefined });
  };
  return {
    factory: {
      provider: 'postgres',
      adapterName: '@prisma/adapter-pg',
      connect,
      connectToShadowDb: () => connectToShadow(url),
    },
    close: async () => {
      await Promise.all(pools.map((pool) => pool.end()));
    },
  };
}

/**
 * Sends a script as one query of the simple protocol: PostgreSQL runs it as one transaction, so that one
 * that fails leaves nothing, and bodies in dollar quotes stay whole.
 */
export async function runAsOneQuery(pool: Pool, script: string): Promise<void> {
  await pool.query(script);
}

async function connectToShadow(url: string): Promise<SqlDriverAdapter> {
  const main = openPool(url);
  const name = `${SHADOW_PREFIX}${Date.now()}_${randomBytes(4).toString('hex')}`;
  try {
    await sweepShadows(main);
    await main.query(`CREATE DATABASE "${name}" TEMPLATE template0`);
  } catch (error) {
    await main.end();
    throw asAdapterError(error);
  }
  const shadowUrl = new URL(url);
  shadowUrl.pathname = `/${name}`;
  const shadow = openPool(shadowUrl.href);
  const dispose = async () => {
    await shadow.end();
    await main.query(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`);
    await main.end();
  };
  return adapt(shadow, { runScript: runAsOneQuery, dispose });
}

/** Drops what a killed run left behind; a younger one may be in use by another process. */
async function sweepShadows(pool: Pool): Promise<void> {
  const { rows } = await pool.query<{ datname: string }>(
    'SELECT datname FROM pg_database WHERE starts_with(datname, $1)',
    [SHADOW_PREFIX],
  );
  const isLeftover = (name: string) =>
    Date.now() - Number.parseInt(name.slice(SHADOW_PREFIX.length), 10) > SHADOW_LEFTOVER_AFTER_MS;
  for (const { datname } of rows.filter((row) => isLeftover(row.datname))) {
    await pool.query(`DROP DATABASE IF EXISTS "${datname}" WITH (FORCE)`);
  }
}

function openPool(url: string): Pool {
  // The engine keeps state in its session (an advisory lock), so it must stay on one connection.
  const pool = new Pool({
    connectionString: url,
    max: 1,
    idleTimeoutMillis: 0,
    keepAlive: true,
    // oxlint-disable-next-line typescript/no-misused-promises -- the pool waits for it, which its types do not say
    onConnect: usePublicSchema,
  });
  // A connection lost while idle shows itself at the next query.
  pool.on('error', () => undefined);
  return pool;
}

/** Else a schema of the owner's own name, such as `optio` is for an owner of that name, would get the tables. */
async function usePublicSchema(client: ClientBase): Promise<void> {
  await client.query('SET search_path TO public');
}

async function adapt(
  pool: Pool,
  options: { readonly runScript: RunScript; readonly dispose: () => Promise<void> },
): Promise<SqlDriverAdapter> {
  const charColumns = new WeakMap<object, readonly number[]>();
  const inner = await new PrismaPg(relabelling(pool, charColumns)).connect();
  return {
    provider: inner.provider,
    adapterName: inner.adapterName,
    queryRaw: async (query: SqlQuery) => markCharColumns(await inner.queryRaw(query), charColumns),
    executeRaw: (query: SqlQuery) => inner.executeRaw(query),
    executeScript: async (script) => {
      try {
        await options.runScript(pool, script);
      } catch (error) {
        // A script with a BEGIN of its own would leave the session in an aborted transaction.
        await pool.query('ROLLBACK');
        throw asAdapterError(error);
      }
    },
    startTransaction: (isolationLevel) => inner.startTransaction(isolationLevel),
    getConnectionInfo: () => inner.getConnectionInfo(),
    dispose: options.dispose,
  };
}

/** The stock adapter refuses columns of type "char": it gets them as text, and `charColumns` remembers which. */
function relabelling(pool: Pool, charColumns: WeakMap<object, readonly number[]>): Pool {
  const query = async (config: QueryArrayConfig): Promise<QueryArrayResult> => {
    const result = await pool.query(config);
    const isChar = result.fields.map((field) => field.dataTypeID === CHAR_OID);
    charColumns.set(
      result.rows,
      isChar.flatMap((yes, index) => (yes ? [index] : [])),
    );
    const fields = result.fields.map((field, index) =>
      isChar[index] === true ? { ...field, dataTypeID: TEXT_OID } : field,
    );
    return { ...result, fields };
  };
  return new Proxy(pool, {
    get: (target, property) => (property === 'query' ? query : Reflect.get(target, property, target)),
  });
}

/** As text such a column would make the engine panic. */
function markCharColumns(
  result: SqlResultSet,
  charColumns: WeakMap<object, readonly number[]>,
): SqlResultSet {
  const indexes = charColumns.get(result.rows) ?? [];
  return {
    ...result,
    columnTypes: result.columnTypes.map((type, index) =>
      indexes.includes(index) ? ColumnTypeEnum.Character : type,
    ),
  };
}

function asAdapterError(error: unknown): unknown {
  if (!(error instanceof DatabaseError)) {
    return error;
  }
  return new DriverAdapterError({
    kind: 'postgres',
    code: error.code ?? '',
    severity: error.severity ?? 'ERROR',
    message: error.message,
    detail: error.detail,
    column: error.column,
    hint: error.hint,
    originalCode: error.code ?? '',
    originalMessage: error.message,
  });
}
