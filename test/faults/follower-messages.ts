/** What the trial and a thread of followers say to one another. */
import type { Transport } from './follower.ts';

/** What a thread begins with. */
export type Assignment = {
  readonly seed: number;
  readonly urls: readonly string[];
  /** Of each follower. */
  readonly followers: readonly { readonly token: string; readonly transport: Transport }[];
};

export type ToThread =
  /** Where the servers are now. */
  | { readonly kind: 'urls'; readonly urls: readonly string[] }
  | { readonly kind: 'cut'; readonly index: number }
  | { readonly kind: 'dawdle'; readonly index: number; readonly milliseconds: number }
  /** Everybody goes, and says what was seen. */
  | { readonly kind: 'end' };

/** What one follower went through. */
export type Account = {
  readonly seen: readonly number[];
  readonly complaints: readonly string[];
  readonly connections: number;
};

export type FromThread =
  /** All are live for the first time. */
  | { readonly kind: 'ready' }
  /** How many lines all of them saw so far. */
  | { readonly kind: 'progress'; readonly lines: number }
  | { readonly kind: 'accounts'; readonly accounts: readonly Account[] };
