/** How long a test waits for what has to happen: for a machine ten times as slow as a quiet one, not for a quick one. */

/** Also what `expect.poll` waits (vitest.config.ts). Nothing is checked by it: a rule about time has a test of its own. */
export const PATIENCE_MS = 60_000;
