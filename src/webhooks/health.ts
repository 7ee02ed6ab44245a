/** When a subscription that keeps failing is disabled (webhooks rule 21). */

export type HealthLimits = {
  /** So many deliveries in a row failed, … */
  readonly failures: number;
  /** … and the first of them at least so long ago. Hours. */
  readonly failureHours: number;
  /** Or: however few, and the first of them so long ago. Days. */
  readonly failingDays: number;
};

export const DEFAULT_HEALTH_LIMITS: HealthLimits = { failures: 50, failureHours: 24, failingDays: 5 };

const HOUR_MS = 3_600_000;

/** The first failure from which on so many failures, or however few, are too many at `now`. */
export function failingBounds({ failureHours, failingDays }: HealthLimits, now: Date) {
  return {
    failuresSince: new Date(now.getTime() - failureHours * HOUR_MS),
    failingSince: new Date(now.getTime() - failingDays * 24 * HOUR_MS),
  };
}

/** Why it was disabled, for people. */
export function failingReason(failures: number, since: Date): string {
  const last = failures === 1 ? 'The last delivery' : `The last ${failures.toLocaleString('en')} deliveries`;
  return `${last} failed; none has succeeded since ${since.toISOString()}.`;
}
