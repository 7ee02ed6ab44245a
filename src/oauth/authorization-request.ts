/**
 * The authorization request (RFC 6749 4.1.1, RFC 7636 4.3): which client asks, where the answer goes, and an ordered list
 * of checks, each a small function. What is wrong with client or redirect URI never leaves by a redirect.
 */
import type { Pool } from 'pg';
import type { Scope } from '../accounts/scope.ts';
import { translateDatabaseError } from '../platform/database/unavailable.ts';
import { AuthorizationError } from './authorization-error.ts';
import { type AuthorizationParameters, readParameters } from './authorization-parameters.ts';
import type { Destination } from './authorization-response.ts';
import { type PresentedClient, selectPresentedClient } from './authorization-statements.ts';
import { isClientId } from './client.ts';
import { findFlowRefusal, findStatusRefusal } from './client-standing.ts';
import { OAuthError } from './error.ts';
import { isCodeChallenge } from './pkce.ts';
import { matchRedirectUri, type RedirectUriFault } from './redirect-uri-match.ts';
import { grantScopes } from './scope.ts';

/** What can only be told to the person, for there is nowhere safe to go back to. */
export type Dead =
  | { readonly fault: 'too_long' | 'repeated' | 'client_id_missing' | 'client_unknown' }
  | { readonly fault: RedirectUriFault; readonly client: PresentedClient; readonly sent: string | undefined }
  | { readonly fault: 'client_not_approved'; readonly client: PresentedClient };

/** A request of a client that may ask, with a place to go back to. */
export type OpenRequest = {
  /** As it was sent, without the question mark. */
  readonly query: string;
  readonly parameters: AuthorizationParameters;
  readonly client: PresentedClient;
  readonly destination: Destination;
};

/** A request that has nothing wrong with it. */
export type SoundRequest = {
  /** Null: it was left out. */
  readonly sentRedirectUri: string | null;
  readonly codeChallenge: string | null;
  /** Those asked for, which the client is approved for. */
  readonly scopes: readonly Scope[];
  readonly prompt: ReadonlySet<string>;
};

/** What fits into the memory of the sign-in page (return-to.ts), with the path and one parameter more. */
const MAX_CHARACTERS = 4_000;

/** Finds the client and where to go back to. Errors: `UNAVAILABLE`. */
export async function openRequest(
  { pool, issuer }: { readonly pool: Pool; readonly issuer: string },
  query: string,
): Promise<OpenRequest | Dead> {
  if (query.length > MAX_CHARACTERS) return { fault: 'too_long' };
  const parameters = readParameters(query);
  const { values, repeated, rawState } = parameters;
  if (repeated.has('client_id') || repeated.has('redirect_uri')) return { fault: 'repeated' };
  const clientId = values.get('client_id');
  if (clientId === undefined) return { fault: 'client_id_missing' };
  const client = await findClient(pool, clientId);
  if (client === undefined) return { fault: 'client_unknown' };
  if (findStatusRefusal(client.status) !== undefined) return { fault: 'client_not_approved', client };
  const sent = values.get('redirect_uri');
  const match = matchRedirectUri(client, sent);
  if ('fault' in match) return { ...match, client, sent };
  return { query, parameters, client, destination: { issuer, rawState, ...match } };
}

async function findClient(pool: Pool, clientId: string): Promise<PresentedClient | undefined> {
  if (!isClientId(clientId)) return undefined;
  try {
    const { rows } = await pool.query<PresentedClient>(selectPresentedClient(clientId));
    return rows[0];
  } catch (error) {
    throw translateDatabaseError(error);
  }
}

type Check = (request: OpenRequest) => void;

const CHECKS: readonly Check[] = [
  checkRepetition,
  checkResponseType,
  checkResponseMode,
  checkGrantType,
  checkCodeChallenge,
  checkPrompt,
];

/** Passes the request through all checks. Errors: `AuthorizationError`. */
export function checkRequest(request: OpenRequest): SoundRequest {
  for (const check of CHECKS) check(request);
  const { values } = request.parameters;
  return {
    sentRedirectUri: values.get('redirect_uri') ?? null,
    codeChallenge: values.get('code_challenge') ?? null,
    scopes: scopesOf(request),
    prompt: promptOf(request.parameters),
  };
}

/** How the person is to be asked; empty: as it is needed. Whoever may ask nothing is told so before all else. */
export function promptOf({ values }: AuthorizationParameters): ReadonlySet<string> {
  return new Set((values.get('prompt') ?? '').split(' ').filter(Boolean));
}

// The parameters that mean something here. What is not among them is ignored, however often it was sent (RFC 6749 3.1).
const KNOWN = [
  'response_type',
  'response_mode',
  'scope',
  'state',
  'code_challenge',
  'code_challenge_method',
  'prompt',
] as const;

function checkRepetition({ parameters }: OpenRequest): void {
  const name = KNOWN.find((known) => parameters.repeated.has(known));
  if (name !== undefined) refuse('invalid_request', `The parameter ${name} was sent more than once.`);
}

function checkResponseType({ parameters }: OpenRequest): void {
  const type = parameters.values.get('response_type');
  if (type === undefined) refuse('invalid_request', 'The parameter response_type is missing.');
  if (type !== 'code') refuse('unsupported_response_type', 'The response type is not supported; code is.');
}

function checkResponseMode({ parameters }: OpenRequest): void {
  const mode = parameters.values.get('response_mode');
  if (mode !== undefined && mode !== 'query') {
    refuse('invalid_request', 'The response mode is not supported; query is.');
  }
}

function checkGrantType({ client }: OpenRequest): void {
  const refusal = findFlowRefusal(client, 'authorization_code');
  if (refusal !== undefined) refuse('unauthorized_client', refusal.message);
}

function checkCodeChallenge({ parameters: { values }, client }: OpenRequest): void {
  const challenge = values.get('code_challenge');
  const method = values.get('code_challenge_method');
  if (challenge === undefined) {
    if (client.requiresPkce)
      refuse('invalid_request', 'The parameter code_challenge is missing (PKCE, RFC 7636).');
    if (method !== undefined)
      refuse('invalid_request', 'There is a code_challenge_method without code_challenge.');
    return;
  }
  // Left out, it would mean plain.
  if (method !== 'S256') refuse('invalid_request', 'The code_challenge_method must be S256.');
  if (!isCodeChallenge(challenge)) {
    refuse('invalid_request', 'The code_challenge must be the base64url form of a SHA-256: 43 characters.');
  }
}

const PROMPTS = new Set(['none', 'login', 'consent', 'select_account']);

function checkPrompt({ parameters }: OpenRequest): void {
  const prompt = promptOf(parameters);
  if ([...prompt].some((value) => !PROMPTS.has(value))) {
    refuse('invalid_request', `The parameter prompt may hold these: ${[...PROMPTS].join(', ')}.`);
  }
  if (prompt.has('none') && prompt.size > 1) {
    refuse('invalid_request', 'The prompt none does not go together with another one.');
  }
}

function scopesOf({ parameters, client }: OpenRequest): readonly Scope[] {
  try {
    return grantScopes(parameters.values.get('scope'), client.scopes);
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error;
    throw new AuthorizationError('invalid_scope', error.message);
  }
}

function refuse(code: AuthorizationError['code'], message: string): never {
  throw new AuthorizationError(code, message);
}
