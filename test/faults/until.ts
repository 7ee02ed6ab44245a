/** Waiting for something that another process does. */

const LOOK_EVERY_MS = 100;

/** Asks until the answer is true; throws, naming what was expected, when it is not in time. An error counts as no. */
export async function until(what: string, isSo: () => Promise<boolean>, withinMs: number): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await isSo().catch(() => false))) {
    if (performance.now() > deadline) throw new Error(`Expected within ${withinMs} ms: ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}
