/** Admins of the platform, who need not be members of any organization. */
import { AppError } from '../lib/errors.ts';
import type { Viewer } from './viewer.ts';

/** Whether the viewer is an admin of the platform who has signed in. */
export function isPlatformAdmin({ scopes, session }: Viewer): boolean {
  return scopes === null && session?.isPlatformAdmin === true;
}

/** Refuses (`FORBIDDEN`) everybody else. */
export function requirePlatformAdmin(viewer: Viewer): void {
  if (!isPlatformAdmin(viewer)) {
    throw new AppError('FORBIDDEN', 'This needs an admin of the platform who has signed in.');
  }
}
