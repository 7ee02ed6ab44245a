/** The schema as a text that changes only when the schema does. */
import { lexicographicSortSchema, printSchema } from 'graphql';
import { createSchema } from './schema.ts';

/** The sorted schema in SDL, with a line break at its end. */
export function printSortedSchema(): string {
  return `${printSchema(lexicographicSortSchema(createSchema()))}\n`;
}
