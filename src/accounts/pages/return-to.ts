/** Where somebody goes after signing in: a path of this server, and nowhere else. */

const MAX_CHARACTERS = 4_096;
const ANYWHERE = 'http://localhost';

/** The path (with query) that `text` is, if it is one of ours; else `/account`. */
export function localPath(text: string | undefined): string {
  if (text === undefined || text.length > MAX_CHARACTERS) return '/account';
  // Browsers read a backslash as a slash and leave out tabs and line ends, so `/\t/evil.example` leads away.
  if (!text.startsWith('/') || /[\\\p{Cc}]/u.test(text) || !URL.canParse(text, ANYWHERE)) return '/account';
  const { origin, pathname, search } = new URL(text, ANYWHERE);
  // What dots leave over, `/.//evil.example`, may begin with two slashes once more.
  return origin === ANYWHERE && !pathname.startsWith('//') ? `${pathname}${search}` : '/account';
}

/** A path of ours that remembers where to go afterwards. */
export function withReturnTo(path: string, returnTo: string): string {
  return returnTo === '/account' ? path : `${path}?${new URLSearchParams({ return_to: returnTo })}`;
}

/** Where somebody who is signed in signs in once more, as somebody else perhaps, and then goes to a path of ours. */
export function signInAgain(returnTo: string): string {
  return `/login?${new URLSearchParams({ again: '1', return_to: returnTo })}`;
}
