/** Where log lines go: gathered while a turn of the event loop lasts, then written at once. */

/** Where lines go, each with its line break. */
export type LogDestination = { readonly write: (lines: string) => void };

export type GatheredOutput = LogDestination & {
  /** Writes what is gathered now: before the process ends, or when a line must not be lost. */
  readonly flush: () => void;
};

// A turn that writes more than that does not gather it all.
const MAX_GATHERED = 65_536;

/**
 * One write for all lines of a turn: a busy server spends a tenth of its time on system calls otherwise. What a crash
 * of the process can lose is a single turn.
 */
export function gatherLines(output: LogDestination): GatheredOutput {
  let gathered = '';
  const flush = (): void => {
    const lines = gathered;
    gathered = '';
    if (lines !== '') output.write(lines);
  };
  return {
    write: (line) => {
      if (gathered === '') setImmediate(flush);
      gathered += line;
      if (gathered.length > MAX_GATHERED) flush();
    },
    flush,
  };
}
