/** The webhook subscriptions of the demo: one for each state worth seeing. */
import type { EventTypeName } from '../events/event-type.ts';
import type { Behaviour } from './receiver.ts';

export type DemoSubscription = {
  /** The end of its URL. */
  readonly name: string;
  readonly description: string;
  /** How the built-in receiver answers it now. */
  readonly behaviour: Behaviour;
  readonly eventTypes: readonly (EventTypeName | '*')[];
  readonly rateLimitPerSecond?: number;
  readonly customHeaders?: readonly (readonly [string, string])[];
  /**
   * What became of it, and how many of its events ago: so the state is there at whatever hour of the night somebody
   * starts the demo. Left out: nothing, it is well.
   */
  readonly turn?: { readonly kind: 'paused' | 'gone' | 'broken'; readonly eventsAgo: number };
};

export const DEMO_SUBSCRIPTIONS: readonly DemoSubscription[] = [
  {
    name: 'canvas-course-sync',
    description: 'Canvas: course progress',
    behaviour: 'ok',
    eventTypes: ['task.completed', 'quest.completed', 'grade.updated'],
    customHeaders: [['X-Canvas-Account', 'riverside']],
  },
  {
    name: 'data-warehouse',
    description: 'Data warehouse: everything; takes its time',
    behaviour: 'slow',
    eventTypes: ['*'],
  },
  {
    name: 'badge-wall',
    description: 'Badge wall in the lobby: fails now and then, recovers by itself',
    behaviour: 'flaky',
    eventTypes: ['badge.earned', 'quest.completed'],
  },
  {
    name: 'parent-newsletter',
    description: 'Parent newsletter: its database is broken',
    behaviour: 'error',
    eventTypes: ['badge.earned', 'grade.updated'],
    turn: { kind: 'broken', eventsAgo: 16 },
  },
  {
    name: 'submission-inbox',
    description: 'Submission inbox: at most one delivery a second',
    behaviour: 'ok',
    eventTypes: ['task.submitted'],
    rateLimitPerSecond: 1,
  },
  {
    name: 'library-kiosk',
    description: 'Library kiosk: asks for patience (429)',
    behaviour: 'busy',
    eventTypes: ['quest.completed', 'user.registered'],
  },
  {
    name: 'student-records',
    description: 'Student records: paused while it is being moved',
    behaviour: 'ok',
    eventTypes: ['user.registered', 'grade.updated'],
    turn: { kind: 'paused', eventsAgo: 30 },
  },
  {
    name: 'old-gradebook',
    description: 'Old gradebook: switched off for good',
    behaviour: 'gone',
    eventTypes: ['grade.updated'],
    turn: { kind: 'gone', eventsAgo: 45 },
  },
];
