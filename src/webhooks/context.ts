/** What the operations on webhooks need beside the viewer. app.ts makes it once. */
import type { RequestContext } from '../accounts/viewer.ts';
import type { WakeLanes } from '../events/emit.ts';
import type { Clock } from '../lib/clock.ts';
import type { MasterKeys } from '../lib/crypto.ts';
import type { TargetPolicy } from '../platform/outbound/target-url.ts';

export type WebhookDependencies = {
  readonly clock: Clock;
  /** Seal secrets and custom headers. */
  readonly keys: MasterKeys;
  /** Which target URLs are allowed. */
  readonly targetPolicy: TargetPolicy;
  readonly wakeLanes: WakeLanes;
};

export type WebhookContext = RequestContext & WebhookDependencies;

export const MAY_READ = { scope: 'read:webhooks', roles: ['ADMIN'] } as const;
export const MAY_WRITE = { scope: 'write:webhooks', roles: ['ADMIN'] } as const;
