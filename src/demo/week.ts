/** When things happened in the past week: much in lessons, little in the evening and on weekends, nothing at night. */
import type { Chance } from './chance.ts';

const HOUR_MS = 3_600_000;
const HOURS = 7 * 24;

/** Events an hour on a school day, by the hour of the clock. */
const SCHOOL_DAY = [0, 0, 0, 0, 0, 0, 1, 6, 18, 26, 24, 22, 12, 20, 24, 16, 8, 6, 7, 8, 5, 3, 1, 0] as const;
/** Of that, on a day without school. */
const WEEKEND_SHARE = 0.2;

/** The times of the week that ends now, oldest first. The hours are those of the server's time zone. */
export function timesOfWeek(now: Date, chance: Chance): readonly Date[] {
  const begin = now.getTime() - HOURS * HOUR_MS;
  const times: number[] = [];
  for (let hour = 0; hour < HOURS; hour += 1) {
    const from = begin + hour * HOUR_MS;
    for (let left = countFor(new Date(from), chance); left > 0; left -= 1) {
      times.push(from + Math.floor(chance.next() * HOUR_MS));
    }
  }
  return times.toSorted((a, b) => a - b).map((time) => new Date(time));
}

function countFor(hour: Date, chance: Chance): number {
  const isWeekend = hour.getDay() % 6 === 0;
  const usual = (SCHOOL_DAY[hour.getHours()] ?? 0) * (isWeekend ? WEEKEND_SHARE : 1);
  // No two days are alike; a part of an event happens sometimes.
  return Math.floor(usual * (0.7 + 0.6 * chance.next()) + chance.next());
}
