/** UUIDs of version 7 (RFC 9562 5.7): time-ordered, so that big tables partition and page by id. */
import { randomFillSync } from 'node:crypto';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whether a text is a UUID in its canonical form (any version). */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/** The instant a UUIDv7 was made at, in milliseconds since 1970. */
export function uuidTime(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

/** The lowest UUIDv7 of an instant: `id >= lowestUuidAt(t)` selects what was made at t or later. */
export function lowestUuidAt(time: Date): string {
  const hex = Math.max(0, time.getTime()).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
}

const RANDOM_BYTES = 10;
const DRAWN_AT_ONCE = 256;

/** Makes UUIDv7s that never go backwards within this generator, even when the clock does (RFC 9562 6.2, method 2). */
export function createIdGenerator(now: () => number = Date.now): () => string {
  const nextRandom = createRandomReader(RANDOM_BYTES);
  let lastTime = 0;
  let counter = 0;
  return () => {
    const time = Math.max(now(), lastTime);
    const random = nextRandom();
    counter = time === lastTime ? counter + 1 : random.readUInt16BE(0) & 0x07ff;
    lastTime = counter > 0x0fff ? time + 1 : time;
    counter &= 0x0fff;
    return format(lastTime, counter, random);
  };
}

/** Random bytes, drawn for many ids at once: a call to the system for each costs more than all else of an id. */
function createRandomReader(size: number): () => Buffer {
  const drawn = Buffer.alloc(size * DRAWN_AT_ONCE);
  let next = drawn.length;
  return () => {
    if (next === drawn.length) {
      randomFillSync(drawn);
      next = 0;
    }
    next += size;
    return drawn.subarray(next - size, next);
  };
}

/** A UUIDv7 for now. */
export const newId = createIdGenerator();

function format(time: number, counter: number, random: Buffer): string {
  const hex = time.toString(16).padStart(12, '0');
  const low = ((random[2] ?? 0) & 0x3f) | 0x80;
  const rest = random.toString('hex', 3, 10);
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7${counter.toString(16).padStart(3, '0')}-${low.toString(16)}${rest.slice(0, 2)}-${rest.slice(2)}`;
}
