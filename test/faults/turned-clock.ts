/**
 * Loaded into a server before its own code (`--import`): its wall clock can be turned from outside. SIGUSR2 makes it read
 * by how many milliseconds from the file that CLOCK_FILE names.
 */
import { readFileSync } from 'node:fs';

let offsetMs = 0;
const { CLOCK_FILE = '' } = process.env;

process.on('SIGUSR2', () => {
  offsetMs = Number(readFileSync(CLOCK_FILE, 'utf8'));
});

globalThis.Date = new Proxy(Date, {
  construct: (target, values, newTarget) =>
    Reflect.construct(target, values.length === 0 ? [target.now() + offsetMs] : values, newTarget),
  get: (target, name) => (name === 'now' ? () => target.now() + offsetMs : Reflect.get(target, name)),
});
