/** Who may use a field: declared beside the field, checked before it resolves, and listed by a test. */
import { requirePlatformAdmin } from '../accounts/platform-admin.ts';
import {
  authorize,
  type Requirement,
  requireSession,
  type SessionRequirement,
  type Viewer,
} from '../accounts/viewer.ts';
import { requireViewer } from './context.ts';

/**
 * `anyone`: also without credentials; `signed in`: any viewer, the rest is decided for what is asked for; `session`:
 * somebody who has signed in, about the own account, for which there is no scope; `platform admin`: an admin of the
 * platform who has signed in, about what belongs to no organization or to any.
 */
export type Access = 'anyone' | 'signed in' | 'session' | 'platform admin' | Requirement | SessionRequirement;

/** The options of a field that declares its access. */
export function access(required: Access) {
  return { authScopes: { access: required }, extensions: { access: required } };
}

/** Throws `UNAUTHENTICATED` or `FORBIDDEN` unless the viewer has the access. */
export function checkAccess(viewer: Viewer | null, required: Access): true {
  if (required === 'anyone') return true;
  const present = requireViewer(viewer);
  if (required === 'signed in') return true;
  if (required === 'session') requireSession(present);
  else if (required === 'platform admin') requirePlatformAdmin(present);
  else authorize(present, required);
  return true;
}
