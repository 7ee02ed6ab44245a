/** The backend of an LMS as a test plays it: sends people to the consent page, exchanges codes, calls with its tokens. */
import type { Browser } from './plain-browser.ts';

export type Tokens = {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly scope: string;
};
export type Json = Record<string, unknown>;

export type Lms = {
  /** A form post with its credentials in the body. */
  readonly post: (path: string, form: Readonly<Record<string, string>>) => Promise<Response>;
  /** Sends the person to the consent page, lets it allow, and exchanges the code. */
  readonly authorize: (browser: Browser, scope: string) => Promise<Tokens>;
  /** A call of REST with the access token. */
  readonly rest: (
    tokens: Tokens,
    method: string,
    path: string,
    body?: object,
  ) => Promise<{ readonly status: number; readonly body: Json }>;
  /** An operation of GraphQL with the access token; all of the answer. */
  readonly graphql: (tokens: Tokens, query: string, variables?: object) => Promise<Json>;
};

export type LmsOptions = {
  readonly url: string;
  readonly clientId: string;
  readonly secret: string;
  readonly redirectUri: string;
};

const STATE = 'of-the-lms';

export function createLms({ url, clientId, secret, redirectUri }: LmsOptions): Lms {
  const post: Lms['post'] = (path, form) =>
    fetch(`${url}${path}`, {
      method: 'POST',
      body: new URLSearchParams({ ...form, client_id: clientId, client_secret: secret }),
    });
  const rest: Lms['rest'] = async (tokens, method, path, body) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { authorization: `Bearer ${tokens.access_token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Json }; // JSON, errors too.
  };
  return {
    post,
    rest,
    graphql: async (tokens, query, variables) =>
      (await rest(tokens, 'POST', '/graphql', { query, variables })).body,
    authorize: async (browser, scope) => {
      const request = {
        response_type: 'code',
        client_id: clientId,
        redirect_uri: redirectUri,
        state: STATE,
        scope,
      };
      const answer = await browser.submit(`/api/oauth/authorize?${new URLSearchParams(request)}`, {
        decision: 'allow',
      });
      const location = answer.headers.get('location') ?? '';
      const { searchParams } = new URL(location);
      const code = searchParams.get('code');
      if (!location.startsWith(redirectUri) || searchParams.get('state') !== STATE || code === null) {
        throw new Error(`The consent page answered ${answer.status} ${location}`);
      }
      const exchange = { grant_type: 'authorization_code', code, redirect_uri: redirectUri };
      const response = await post('/api/oauth/token', exchange);
      if (response.status !== 200) throw new Error(`No token: ${await response.text()}`);
      return (await response.json()) as Tokens; // RFC 6749 5.1.
    },
  };
}
