/**
 * Names for statements, so that each connection plans one once: planning a list over partitions under row-level security
 * takes PostgreSQL longer than running it.
 */

/** The name of a statement; undefined: it is planned anew each time. */
export type StatementNames = (text: string) => string | undefined;

// A connection keeps what it planned. Filters make some dozens of statements; beyond that, none is worth the memory.
const MAX_NAMES = 200;

/** Names the statements that come first, whichever they are. */
export function createStatementNames(prefix: string): StatementNames {
  const names = new Map<string, string>();
  return (text) => {
    const known = names.get(text);
    if (known !== undefined || names.size >= MAX_NAMES) return known;
    const name = `${prefix}_${names.size + 1}`;
    names.set(text, name);
    return name;
  };
}
