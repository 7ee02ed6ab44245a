/** The scopes (RFC 6749 3.3): what a token may be good for, what contains what, and how it is told to people. */

type ScopeEntry = {
  readonly description: string;
  readonly risk: 'low' | 'medium' | 'high';
  readonly contains: readonly string[];
};

const READ = ['read:quests', 'read:tasks', 'read:badges', 'read:grades', 'read:users'] as const;
const WRITE = ['write:tasks', 'write:quests', 'write:badges', 'write:grades', 'write:users'] as const;

const CATALOGUE = {
  read: {
    description: 'See all learning data: quests, tasks, badges, grades and people.',
    risk: 'medium',
    contains: READ,
  },
  'read:quests': { description: 'See quests.', risk: 'low', contains: [] },
  'read:tasks': { description: 'See tasks and what was submitted for them.', risk: 'low', contains: [] },
  'read:badges': { description: 'See badges and who earned them.', risk: 'low', contains: [] },
  'read:grades': { description: 'See grades.', risk: 'medium', contains: [] },
  'read:users': { description: 'See the names and email addresses of people.', risk: 'medium', contains: [] },
  write: {
    description: 'See and change all learning data.',
    risk: 'high',
    contains: ['read', ...READ, ...WRITE],
  },
  'write:tasks': {
    description: 'Start quests, and submit and complete tasks.',
    risk: 'medium',
    contains: [],
  },
  'write:quests': { description: 'Create and change quests.', risk: 'medium', contains: [] },
  'write:badges': { description: 'Create badges and award them.', risk: 'medium', contains: [] },
  'write:grades': {
    description: 'Review what was submitted, and record grades.',
    risk: 'high',
    contains: [],
  },
  'write:users': { description: 'Invite people and change their roles.', risk: 'high', contains: [] },
  'read:webhooks': {
    description: 'See webhook subscriptions and their deliveries.',
    risk: 'medium',
    contains: [],
  },
  'write:webhooks': {
    description: 'Create, change and delete webhook subscriptions, and send deliveries again.',
    risk: 'high',
    contains: ['read:webhooks'],
  },
  'read:events': { description: 'See what events contain.', risk: 'high', contains: [] },
  'write:events': { description: 'Emit events in the name of the organization.', risk: 'high', contains: [] },
} as const satisfies Record<string, ScopeEntry>;

export type Scope = keyof typeof CATALOGUE;
export type ScopeInfo = {
  readonly name: Scope;
  readonly description: string;
  readonly risk: ScopeEntry['risk'];
  /** The scopes that it is good for as well. */
  readonly contains: readonly Scope[];
};

/** Every scope there is, in the order people should read them. */
export const SCOPES: readonly ScopeInfo[] = Object.entries(CATALOGUE).map(
  ([name, { description, risk, contains }]) => ({
    name: name as Scope, // The keys of CATALOGUE are the scopes.
    description,
    risk,
    contains,
  }),
);

export function isScope(text: string): text is Scope {
  return Object.hasOwn(CATALOGUE, text);
}

/** Whether one of the granted scopes is the wanted one or contains it. */
export function holdsScope(granted: Iterable<string>, wanted: Scope): boolean {
  for (const scope of granted) {
    if (scope === wanted) return true;
    if (isScope(scope) && (CATALOGUE[scope].contains as readonly string[]).includes(wanted)) return true; // Widened to compare.
  }
  return false;
}
