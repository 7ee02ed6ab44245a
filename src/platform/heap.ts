/** How large V8 lets the heap grow. */
import { setFlagsFromString } from 'node:v8';

/**
 * What the heap may grow by, of what was alive, until all of it is collected. V8's own measure, up to 300 percent on a
 * machine with much memory, makes a worker at full speed hold twice as much to save a tenth of its processor time. A
 * worker is bound most narrowly: it is small, and there may be many on a machine.
 */
const GROWING_PERCENT = { worker: 60, api: 100, all: 100 } as const;

/** Counts from the next collection on. */
export function boundHeap(role: keyof typeof GROWING_PERCENT): void {
  setFlagsFromString(`--heap-growing-percent=${GROWING_PERCENT[role]}`);
}
