/** What the benchmarks and their receiver process say to each other. Times are those of the machine's monotonic clock. */
import { z } from 'zod';

/** Start to count anew; `secrets` by path: requests to these paths are verified, every hundredth of them. */
export const expectation = z.object({
  count: z.int(),
  secrets: z.record(z.string(), z.string()),
});
export type Expectation = z.infer<typeof expectation>;

export const report = z.object({
  /** Requests, and how many different ones they were by X-Optio-Delivery (all, where they carry none). */
  requests: z.int(),
  distinct: z.int(),
  verified: z.int(),
  /** Signatures that did not fit. */
  refused: z.int(),
  bytes: z.int(),
  firstAtMs: z.number(),
  lastAtMs: z.number(),
  /** The first one by the wall clock, in milliseconds since 1970. */
  firstAtEpochMs: z.number(),
});
export type Report = z.infer<typeof report>;

export const fromReceiver = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('listening'), port: z.int() }),
  /** As many different ones came as were expected. */
  z.object({ kind: z.literal('complete'), report }),
]);
export type FromReceiver = z.infer<typeof fromReceiver>;

/** Comparable between the processes of a machine. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
