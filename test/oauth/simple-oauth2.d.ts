/** What the tests use of a client that brings no types along. */
declare module 'simple-oauth2' {
  type Token = Readonly<Record<string, unknown>>;
  export class AccessToken {
    readonly token: Token;
    refresh(params?: { readonly scope?: string }): Promise<AccessToken>;
    revokeAll(): Promise<void>;
  }
  export class AuthorizationCode {
    constructor(configuration: {
      readonly client: { readonly id: string; readonly secret: string };
      readonly auth: Readonly<Record<string, string>>;
      readonly options?: { readonly authorizationMethod: 'header' | 'body' };
    });
    authorizeURL(params: Readonly<Record<string, string>>): string;
    getToken(params: Readonly<Record<string, string>>): Promise<AccessToken>;
  }
}
