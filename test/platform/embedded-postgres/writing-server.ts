/** A program for the tests to kill: starts the embedded database of a folder and prints each row it has committed. */
import { Client } from 'pg';
import { startEmbeddedPostgres } from '../../../src/platform/embedded-postgres/start.ts';

const [directory = '', maxConnections = '200'] = process.argv.slice(2);
const ignore = () => undefined;
const { url } = await startEmbeddedPostgres({
  directory,
  log: { info: ignore, warn: ignore, error: ignore },
  maxConnections: Number(maxConnections),
});
const client = new Client({ connectionString: url });
await client.connect();
await client.query('CREATE TABLE IF NOT EXISTS written (number int)');
for (let number = 1; ; number++) {
  await client.query('INSERT INTO written VALUES ($1)', [number]);
  process.stdout.write(`${number}\n`);
}
