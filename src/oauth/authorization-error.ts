/** How the authorization endpoint refuses: by a page, or by going back to the client with an error. */

/** RFC 6749 4.1.2.1, and those of OpenID Connect (Core 3.1.2.6) for requests that may ask a person nothing. */
export type AuthorizationErrorCode =
  | 'invalid_request'
  | 'unauthorized_client'
  | 'access_denied'
  | 'unsupported_response_type'
  | 'invalid_scope'
  | 'login_required'
  | 'consent_required'
  | 'interaction_required';

/** A refusal that the client is told of; the message is its error_description. */
export class AuthorizationError extends Error {
  override readonly name = 'AuthorizationError';
  readonly code: AuthorizationErrorCode;

  constructor(code: AuthorizationErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
