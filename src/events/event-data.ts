/** What holds for the data of every event, whatever its type. */

/** Deeper data is nobody's event, and to serialize it could exhaust the stack. */
export const MAX_DEPTH = 64;

/** Whether it has at most `MAX_DEPTH` levels; level by level instead of by recursion, which it could exhaust. */
export function isShallow(data: unknown): boolean {
  let level: readonly unknown[] = [data];
  for (let depth = 0; depth <= MAX_DEPTH; depth += 1) {
    level = level.flatMap((item) => (isContainer(item) ? Object.values(item) : []));
    if (level.length === 0) return true;
  }
  return false;
}

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
