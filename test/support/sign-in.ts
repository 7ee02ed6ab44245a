/** Somebody who signs in without a browser: a program that keeps the cookies. */
import type { RunningServer } from './server.ts';

export type SignIn = {
  /** What the start printed: the origin of the server's own pages. */
  readonly publicUrl: string;
  readonly email: string;
  readonly password: string;
};

/** Signs in at the form of /login; answers the session's cookie, as `name=value`. Throws when it is refused. */
export async function signIn(
  { url }: Pick<RunningServer, 'url'>,
  { publicUrl, email, password }: SignIn,
): Promise<string> {
  const page = await fetch(`${url}/login`);
  const visit = page.headers.getSetCookie()[0]?.split(';', 1)[0] ?? '';
  const [, token = ''] = /name="form_token" value="([^"]+)"/.exec(await page.text()) ?? [];
  const answer = await fetch(`${url}/login`, {
    method: 'POST',
    redirect: 'manual',
    headers: { origin: publicUrl, cookie: visit },
    body: new URLSearchParams({ form_token: token, email, password }),
  });
  const session = answer.headers.getSetCookie().find((line) => line.startsWith('optio_session='));
  if (session === undefined) throw new Error(`Signing in answered ${answer.status}.`);
  return session.split(';', 1)[0] ?? '';
}
