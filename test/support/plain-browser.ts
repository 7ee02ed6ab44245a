/** A browser without scripts: it keeps cookies, fills in forms with their hidden fields, and follows nothing by itself. */

export type Browser = {
  readonly get: (path: string) => Promise<Response>;
  /** Fills in the form of a page that posts to the page itself (without its query, if it says so) and sends it. */
  readonly submit: (path: string, fields: Readonly<Record<string, string>>) => Promise<Response>;
  /** As a page of this origin does. */
  readonly postJson: (
    path: string,
    body: unknown,
  ) => Promise<{ readonly status: number; readonly body: unknown }>;
};

/** `url`: where the server listens; `publicUrl`: what it calls itself. */
export function openBrowser(url: string, publicUrl: string): Browser {
  const cookies = new Map<string, string>();
  const { origin } = new URL(publicUrl);
  const request = async (
    path: string,
    init: {
      readonly method?: string;
      readonly body?: string | URLSearchParams;
      readonly headers?: Record<string, string>;
    },
  ): Promise<Response> => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(`${url}${path}`, {
      ...init,
      redirect: 'manual',
      headers: { ...init.headers, cookie, origin },
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      cookies.set(name, value);
    }
    return response;
  };
  return {
    get: (path) => request(path, {}),
    submit: async (path, fields) => {
      const page = await (await request(path, {})).text();
      const hidden = [...page.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)];
      const values = Object.fromEntries(hidden.map(([, name = '', value = '']) => [name, value]));
      const [, action = path] = /<form[^>]* action="([^"]*)"/.exec(page) ?? [];
      return request(action.replaceAll('&amp;', '&'), {
        method: 'POST',
        body: new URLSearchParams({ ...values, ...fields }),
      });
    },
    postJson: async (path, body) => {
      const headers = { 'content-type': 'application/json' };
      const response = await request(path, { method: 'POST', headers, body: JSON.stringify(body) });
      return { status: response.status, body: (await response.json()) as unknown };
    },
  };
}
