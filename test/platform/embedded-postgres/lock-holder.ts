/** A program for the tests: takes the lock of a folder, says how that went, and holds it until its input ends. */
import { AppError } from '../../../src/lib/errors.ts';
import { lockFolder } from '../../../src/platform/embedded-postgres/folder-lock.ts';

const [directory = ''] = process.argv.slice(2);
try {
  lockFolder(directory);
  process.stdout.write('held\n');
} catch (error) {
  process.stdout.write(error instanceof AppError ? `${error.code}\n` : `${String(error)}\n`);
}
process.stdin.resume();
