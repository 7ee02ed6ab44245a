/** Checks what is asked of a webhook subscription, and names every fault at once. */
import { findEventType } from '../events/event-type.ts';
import { type Fault, validationError } from '../lib/errors.ts';
import { checkTargetUrl, type TargetPolicy } from '../platform/outbound/target-url.ts';
import { type CustomHeaders, checkCustomHeaders } from './custom-headers.ts';

/** What can be set. Paths of faults are in the words of the REST door; GraphQL's differ only in their case. */
export type SubscriptionSettings = {
  readonly targetUrl?: string | undefined;
  /** Names of the catalogue, or `*` alone. */
  readonly eventTypes?: readonly string[] | undefined;
  readonly description?: string | null | undefined;
  readonly customHeaders?: CustomHeaders | undefined;
  /** 1 to 100. */
  readonly maxConcurrency?: number | undefined;
  /** 1 to 1,000; null for no limit. */
  readonly rateLimitPerSecond?: number | null | undefined;
  /** Delays before each retry, in seconds; empty for the server's schedule. */
  readonly retrySeconds?: readonly number[] | undefined;
  /** 1 to 30, for a whole attempt; null for the server's time limit. */
  readonly timeoutSeconds?: number | null | undefined;
  /** A path in the envelope, such as `data.user_id`; null for no order. Holds for what is emitted from then on. */
  readonly orderedBy?: string | null | undefined;
};

/** Throws VALIDATION with a fault for each setting that does not fit. Settings that are left out are not looked at. */
export function checkSettings(settings: SubscriptionSettings, policy: TargetPolicy): void {
  const faults = [
    ...targetFaults(settings.targetUrl, policy),
    ...eventTypeFaults(settings.eventTypes),
    ...rangeFaults('description', settings.description?.length, [0, 500]),
    ...textFaults('description', settings.description),
    ...(settings.customHeaders === undefined ? [] : checkCustomHeaders(settings.customHeaders)),
    ...rangeFaults('max_concurrency', settings.maxConcurrency, [1, 100]),
    ...rangeFaults('rate_limit_per_second', settings.rateLimitPerSecond ?? undefined, [1, 1_000]),
    ...rangeFaults('retry_seconds', settings.retrySeconds?.length, [0, 20]),
    ...(settings.retrySeconds ?? []).flatMap((value, index) =>
      rangeFaults(`retry_seconds.${index}`, value, [1, 86_400]),
    ),
    ...rangeFaults('timeout_seconds', settings.timeoutSeconds ?? undefined, [1, 30]),
    ...orderFaults(settings.orderedBy),
  ];
  if (faults.length > 0) throw validationError(faults);
}

function targetFaults(targetUrl: string | undefined, policy: TargetPolicy): readonly Fault[] {
  if (targetUrl === undefined) return [];
  const checked = checkTargetUrl(targetUrl, policy);
  return checked.ok ? [] : [{ path: ['target_url'], message: checked.reason }];
}

function eventTypeFaults(eventTypes: readonly string[] | undefined): readonly Fault[] {
  if (eventTypes === undefined || (eventTypes.length === 1 && eventTypes[0] === '*')) return [];
  if (eventTypes.length === 0)
    return [{ path: ['event_types'], message: 'Expected at least one event type.' }];
  return eventTypes.flatMap((name, index) => {
    const path = ['event_types', index];
    if (name === '*') return [{ path, message: '"*" stands for all event types and stands alone.' }];
    if (findEventType(name) !== undefined) return [];
    return [{ path, message: `There is no event type ${JSON.stringify(name.slice(0, 200))}.` }];
  });
}

const ORDERED_BY = /^(?:event|organization_id|data(?:\.[\w-]{1,64}){1,8})$/;

function orderFaults(orderedBy: string | null | undefined): readonly Fault[] {
  if (orderedBy === undefined || orderedBy === null || ORDERED_BY.test(orderedBy)) return [];
  const message = 'Expected "organization_id", "event", or a path in data such as "data.user_id".';
  return [{ path: ['ordered_by'], message }];
}

/** PostgreSQL cannot hold NUL in a text. */
function textFaults(name: string, text: string | null | undefined): readonly Fault[] {
  return text?.includes('\0') === true ? [{ path: [name], message: 'Expected no NUL character.' }] : [];
}

const UNITS: Readonly<Record<string, string>> = { description: ' characters', retry_seconds: ' delays' };

function rangeFaults(
  name: string,
  value: number | undefined,
  [low, high]: readonly [number, number],
): readonly Fault[] {
  if (value === undefined || (Number.isInteger(value) && value >= low && value <= high)) return [];
  const path = name.split('.').map((key) => (/^\d+$/.test(key) ? Number(key) : key));
  return [
    { path, message: `Expected ${low} to ${high.toLocaleString('en')}${UNITS[name] ?? ''}, not ${value}.` },
  ];
}
