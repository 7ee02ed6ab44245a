/**
 * Cookies that only this host, and no script, can read or set. On https their name says so, and browsers hold us to it
 * (`__Host-`, RFC 6265bis 4.1.3.2): no neighbour on another subdomain can plant one.
 */
import { parse, serialize } from 'hono/utils/cookie';

export type Cookie = {
  /** The value that a request carries; undefined when it carries none. */
  readonly read: (headers: Headers) => string | undefined;
  /** The Set-Cookie header that gives it a value, until the browser is closed. */
  readonly set: (value: string) => string;
  /** The Set-Cookie header that takes it away. */
  readonly clear: () => string;
};

/** A cookie of this name. `https`: whether people reach the server by https (PUBLIC_URL says so). */
export function createCookie(name: string, { https }: { readonly https: boolean }): Cookie {
  const fullName = https ? `__Host-${name}` : name;
  // Lax: it comes along when somebody follows a link to us, and with no post from elsewhere.
  const options = { path: '/', httpOnly: true, secure: https, sameSite: 'Lax' } as const;
  return {
    read: (headers) => parse(headers.get('cookie') ?? '', fullName)[fullName],
    set: (value) => serialize(fullName, value, options),
    clear: () => serialize(fullName, '', { ...options, maxAge: 0 }),
  };
}
