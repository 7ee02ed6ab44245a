/** Lets a page's request in by its session, or sends its browser to where it can get what is missing. */
import type { Cookie } from '../../platform/http/cookies.ts';
import { seeOther } from '../../platform/pages/page.ts';
import type { Session, Sessions } from '../session.ts';
import { lacksSecondFactor } from '../session-viewer.ts';
import { localPath, withReturnTo } from './return-to.ts';

export type PageGuardDeps = {
  readonly sessions: Sessions;
  readonly cookie: Cookie;
  /** Whether admins have to have a second factor. */
  readonly requireSecondFactor: boolean;
};

export type PageGuard = {
  readonly requiresSecondFactor: boolean;
  /** The session of the request, whatever it lacks; undefined without one. */
  readonly find: (request: Pick<Request, 'headers'>) => Promise<Session | undefined>;
  /** The session, if all is there that a page needs; else the answer: to /login, or to the set-up of a second factor. */
  readonly enter: (request: PageRequest) => Promise<Session | Response>;
};

/** After signing in, a GET is made once more; a page whose form may be sent late gives the request of the page instead. */
export type PageRequest = Pick<Request, 'headers' | 'method' | 'url'>;

/** The guard of all pages that are for somebody who has signed in. */
export function createPageGuard({ sessions, cookie, requireSecondFactor }: PageGuardDeps): PageGuard {
  const find: PageGuard['find'] = async ({ headers }) => {
    const token = cookie.read(headers);
    return token === undefined ? undefined : sessions.find(token);
  };
  return {
    requiresSecondFactor: requireSecondFactor,
    find,
    enter: async (request) => {
      const session = await find(request);
      if (session === undefined) return seeOther(withReturnTo('/login', pathOf(request)));
      if (requireSecondFactor && lacksSecondFactor(session)) {
        return seeOther(withReturnTo('/account/second-factor', pathOf(request)));
      }
      return session;
    },
  };
}

/** A form that was sent is not sent again after signing in; its page is where to go. */
function pathOf({ method, url }: PageRequest): string {
  const { pathname, search } = new URL(url);
  return localPath(method === 'GET' ? `${pathname}${search}` : undefined);
}
