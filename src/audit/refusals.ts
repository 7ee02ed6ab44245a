/**
 * Refused attempts on somebody's account or client, as the audit log tells of them: few entries however many attempts
 * there are, so that an attacker can neither fill the log nor make the server write for every attempt (oauth rule 57).
 * Attempts on one target from one place within a window are one entry when they begin, and one with what came after
 * when the window ends; attempts on one target from ever more places are told together.
 */
import type { Pool } from 'pg';
import type { Clock } from '../lib/clock.ts';
import { repeat } from '../lib/repeat.ts';
import { addressBlock } from '../platform/http/client-address.ts';
import type { AuditAction } from './action.ts';
import { type AuditTarget, NO_ORIGIN, type RequestOrigin } from './entry.ts';
import { recordOn } from './record.ts';
import type { Place } from './statements.ts';

export type Refusal = {
  readonly action: Extract<AuditAction, `${string}.refused`>;
  readonly place: Place;
  /** What the attempt was on: something that exists. */
  readonly target: AuditTarget;
  readonly origin: RequestOrigin;
};

export type Refusals = {
  /** Takes note of an attempt; it costs no more than that, and takes as long for every attempt. */
  readonly note: (refusal: Refusal) => void;
  /** Writes what was noted and is not written yet. */
  readonly stop: () => Promise<void>;
};

export type RefusalsOptions = {
  /** Logs in as a member of the role optio_auth. */
  readonly pool: Pool;
  readonly clock: Clock;
  readonly onError: (error: Error) => void;
};

export const REFUSAL_WINDOW_MS = 5 * 60_000;
/** Places of one target that are told apart within a window. */
const MAX_PLACES = 10;
/** About 500 bytes each. An attempt on one target more is not recorded: the access log has it. */
const MAX_TARGETS = 1_000;
const WRITE_MS = 1_000;
const ELSEWHERE = 'elsewhere';

type Window = { readonly refusal: Refusal; readonly since: number; isTold: boolean; untold: number };

/** Begins to write what is noted, within a second. */
export function startRefusals({ pool, clock, onError }: RefusalsOptions): Refusals {
  const targets = new Map<string, Map<string, Window>>();

  const tell = async (window: Window): Promise<void> => {
    const { place, origin, ...act } = window.refusal;
    const occurrences = window.untold;
    await recordOn(
      pool,
      { place, source: { ...origin, actor: { kind: 'ANONYMOUS' } }, now: clock.now() },
      { ...act, occurrences },
    );
    window.isTold = true;
    window.untold -= occurrences;
  };

  const write = async (isLast: boolean): Promise<void> => {
    const over = clock.now().getTime() - REFUSAL_WINDOW_MS;
    for (const [target, windows] of targets) {
      for (const [place, window] of windows) {
        const isOver = isLast || window.since <= over;
        if (window.untold > 0 && (isOver || !window.isTold)) await tell(window);
        // What was noted while the entry was written is told with the next one.
        if (isOver && window.untold === 0) windows.delete(place);
      }
      if (windows.size === 0) targets.delete(target);
    }
  };

  const writing = repeat(() => write(false), { intervalMs: WRITE_MS, onError });
  return {
    note: (refusal) => noteIn(targets, refusal, clock.now().getTime()),
    stop: async () => {
      await writing.stop();
      await write(true).catch(onError);
    },
  };
}

function noteIn(targets: Map<string, Map<string, Window>>, refusal: Refusal, now: number): void {
  const { action, target, origin } = refusal;
  const key = `${action} ${target.id}`;
  const windows = targets.get(key) ?? new Map<string, Window>();
  if (windows.size === 0 && targets.size >= MAX_TARGETS) return;
  targets.set(key, windows);
  const block = addressBlock(origin.address ?? '');
  const isElsewhere = !windows.has(block) && windows.size >= MAX_PLACES;
  const place = isElsewhere ? ELSEWHERE : block;
  const window = windows.get(place) ?? {
    refusal: isElsewhere ? { ...refusal, origin: NO_ORIGIN } : refusal,
    since: now,
    isTold: false,
    untold: 0,
  };
  window.untold += 1;
  windows.set(place, window);
}
