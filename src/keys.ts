/**
 * What an operator does about keys (docs/guides/operations.md):
 * `npm run keys:rotate` has another key sign access tokens within ten minutes; with `-- --end-tokens` at once, and every
 * token of the others ends: for keys that were stolen. `npm run keys:reseal` seals what the database holds under the
 * first key of MASTER_KEY.
 */
import type { Pool } from 'pg';
import { OPERATOR } from './audit/entry.ts';
import { type Config, ConfigError, readConfig } from './config.ts';
import { systemClock } from './lib/clock.ts';
import type { MasterKeys } from './lib/crypto.ts';
import { AppError } from './lib/errors.ts';
import { type KeyRotationDeps, rotateSigningKey } from './oauth/key-rotation.ts';
import { createPool } from './platform/database/pool.ts';
import { createLog } from './platform/log.ts';
import { checkMasterKeys, loadMasterKey } from './platform/master-key.ts';
import { withOwnerSession } from './platform/migrate/owner-session.ts';
import { reseal } from './platform/reseal.ts';
import { openDatabase } from './prepare.ts';
import { SEALED_COLUMNS } from './sealed-columns.ts';

type Command = (pool: Pool, keys: MasterKeys, config: Config) => Promise<void>;

const USAGE = 'Expected one of: rotate, rotate --end-tokens, reseal.';

await main(process.argv.slice(2).join(' '));

async function main(named: string): Promise<void> {
  try {
    await withDatabase(commandNamed(named));
  } catch (error) {
    if (!(error instanceof ConfigError) && !(error instanceof AppError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}

function commandNamed(named: string): Command {
  switch (named) {
    case 'rotate':
      return (pool, keys, config) => rotate(depsOf(pool, keys, config), false);
    case 'rotate --end-tokens':
      return (pool, keys, config) => rotate(depsOf(pool, keys, config), true);
    case 'reseal':
      return resealAll;
    default:
      throw new AppError('BAD_REQUEST', USAGE);
  }
}

/** As the owner, on the database that the server uses; an embedded one is started for it, so its server has to rest. */
async function withDatabase(command: Command): Promise<void> {
  const config = readConfig(process.env);
  const log = createLog({ level: 'warn', pretty: !config.production });
  const keys = config.masterKeys ?? (await loadMasterKey(config.dataDirectory));
  const database = await openDatabase(config, log);
  const onIdleError = (error: Error) => log.warn({ error }, 'a database connection broke');
  const pool = createPool({ url: database.url, maxConnections: 1, onIdleError });
  try {
    await withOwnerSession(database.url, (session) => checkMasterKeys(session, keys));
    await command(pool, keys, config);
  } finally {
    await pool.end();
    await database.stop();
  }
}

function depsOf(pool: Pool, masterKeys: MasterKeys, { signingAlgorithm }: Config): KeyRotationDeps {
  return { pool, masterKeys, clock: systemClock, signingAlgorithm };
}

async function rotate(deps: KeyRotationDeps, endTokens: boolean): Promise<void> {
  const { kid, signsFrom } = await rotateSigningKey(deps, { source: OPERATOR, endTokens });
  say(`The key ${kid} signs access tokens from ${signsFrom.toISOString()}.`);
  if (endTokens) say('No other key is published; the tokens they signed are refused within a minute.');
}

/** Over and over until nothing is left: a process may have sealed something under an older key meanwhile. */
async function resealAll(pool: Pool, keys: MasterKeys): Promise<void> {
  let total = 0;
  for (let last = -1; last !== 0; total += last) {
    last = 0;
    for (const column of SEALED_COLUMNS) last += await reseal(pool, keys, column);
  }
  say(`${total} ${total === 1 ? 'value was' : 'values were'} sealed anew.`);
  say('Everything is sealed under the first key of MASTER_KEY; those behind it can be left out.');
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
