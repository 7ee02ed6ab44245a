/** The token endpoint (RFC 6749 3.2): authenticates the client, then hands over to the grant that was asked for. */
import type { RequestOrigin } from '../audit/entry.ts';
import type { TokenResponse } from './access-token.ts';
import type { AuthenticatedClient, Client, Clients } from './client.ts';
import {
  authenticateClient,
  type ClientCredentials,
  invalidClient,
  readClientCredentials,
} from './client-authentication.ts';
import { findFlowRefusal, findStatusRefusal } from './client-standing.ts';
import { OAuthError } from './error.ts';
import type { Form } from './form.ts';

/**
 * One way to a token. Undefined, without any effect: `client` is no longer what it was when it was read.
 * Errors: `OAuthError`.
 */
export type Grant = (
  client: AuthenticatedClient,
  form: Form,
  origin: RequestOrigin,
) => Promise<TokenResponse | undefined>;

export type TokenEndpointDeps = {
  readonly clients: Clients;
  /** By grant_type. */
  readonly grants: ReadonlyMap<string, Grant>;
};

/** Told of the client of a request, once it has proved itself; what it throws refuses the request. */
export type Admit = (client: AuthenticatedClient) => Promise<void>;

/** What is known of a request beside its form. */
export type Caller = {
  readonly authorization: string | undefined;
  readonly origin: RequestOrigin;
  readonly admit: Admit;
};

type TokenRequest = {
  readonly form: Form;
  readonly credentials: ClientCredentials;
  readonly grantType: string;
  readonly grant: Grant;
  readonly caller: Caller;
};

/**
 * Answers a token request with a token. Errors: `OAuthError`; of a database that is away.
 *
 * The client is taken from memory first. That can only succeed: whatever issues a token makes the database check
 * the client's state again, in the statement that stores the token. A refusal is never decided by memory.
 */
export async function answerTokenRequest(
  { clients, grants }: TokenEndpointDeps,
  form: Form,
  caller: Caller,
): Promise<TokenResponse> {
  const request = { ...readTokenRequest(grants, form, caller.authorization), caller };
  const { clientId, method } = request.credentials;
  const quick = await attempt(request, clients.recall(clientId)).catch(dropRefusal);
  const answer = quick ?? (await attempt(request, await clients.find(clientId)));
  if (answer === undefined) throw invalidClient(method);
  return answer;
}

function readTokenRequest(
  grants: TokenEndpointDeps['grants'],
  form: Form,
  authorization: string | undefined,
): Omit<TokenRequest, 'caller'> {
  const credentials = readClientCredentials(authorization, form);
  const grantType = form.get('grant_type');
  if (grantType === undefined)
    throw new OAuthError('invalid_request', 'The parameter grant_type is missing.');
  const grant = grants.get(grantType);
  if (grant === undefined) {
    const supported = [...grants.keys()].join(', ');
    throw new OAuthError(
      'unsupported_grant_type',
      `The grant type is not supported; these are: ${supported}.`,
    );
  }
  return { form, credentials, grantType, grant };
}

async function attempt(
  { form, credentials, grantType, grant, caller }: TokenRequest,
  found: Client | undefined,
): Promise<TokenResponse | undefined> {
  const client = authenticateClient(found, credentials);
  if (client === undefined) throw invalidClient(credentials.method, found);
  await caller.admit(client);
  // A client that waits for approval, or lost it, has proved who it is: so it is not `invalid_client`, which would send its
  // operator after the secret, but one that is not authorized to use the grant (RFC 6749 5.2).
  const refusal = findFlowRefusal(client, grantType);
  if (refusal !== undefined) throw new OAuthError('unauthorized_client', refusal.message);
  return grant(client, form, caller.origin);
}

/** Refuses (`unauthorized_client`) a client that is not approved. */
export function requireApproved({ status }: Client): void {
  const refusal = findStatusRefusal(status);
  if (refusal !== undefined) throw new OAuthError('unauthorized_client', refusal.message);
}

function dropRefusal(error: unknown): undefined {
  if (!(error instanceof OAuthError)) throw error;
}
