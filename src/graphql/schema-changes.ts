/** Tells what differs between two versions of the printed schema, and whether clients can break by it. */
import { BreakingChangeType, buildSchema, DangerousChangeType, findSchemaChanges } from 'graphql';

export type SchemaChanges = {
  /** `breaking`, `dangerous` or `safe`, then what it is; breaking ones first. */
  readonly lines: readonly string[];
  readonly isBreaking: boolean;
};

/** Compares two schemas in SDL. Other words in a description are no change. */
export function printSchemaChanges(before: string, after: string): SchemaChanges {
  const changes = findSchemaChanges(buildSchema(before), buildSchema(after))
    .filter(({ type }) => type !== 'DESCRIPTION_CHANGED')
    .map(({ type, description }) => ({ severity: severityOf(type), description }));
  const sorted = SEVERITIES.flatMap((wanted) => changes.filter(({ severity }) => severity === wanted));
  return {
    lines: sorted.map(({ severity, description }) => `${severity}: ${description}`),
    isBreaking: changes.some(({ severity }) => severity === 'breaking'),
  };
}

const SEVERITIES = ['breaking', 'dangerous', 'safe'] as const;

function severityOf(type: string): (typeof SEVERITIES)[number] {
  if (type in BreakingChangeType) return 'breaking';
  return type in DangerousChangeType ? 'dangerous' : 'safe';
}
