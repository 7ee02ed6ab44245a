/** The columns of a table under the names that its rows have in the program. */
import { Prisma } from '../../generated/prisma/client.ts';

/**
 * `target_url AS "targetUrl", …` for the fields of a model (`Prisma.<Model>ScalarFieldEnum`): the schema maps every
 * field to its name in snake case. Enumerations come as text.
 */
export function columnsOf(fields: Readonly<Record<string, string>>): Prisma.Sql {
  return Prisma.raw(
    Object.values(fields)
      .map((field) => `${toSnakeCase(field)} AS "${field}"`)
      .join(', '),
  );
}

function toSnakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
