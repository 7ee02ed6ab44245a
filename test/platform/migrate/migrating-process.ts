/** A program for the tests to kill: migrates a database. */
import { migrate } from '../../../src/platform/migrate/migrate.ts';

const [url = '', directory = ''] = process.argv.slice(2);
await migrate({ url, directory, log: { info: () => undefined } });
