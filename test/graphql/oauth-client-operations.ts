/** The documents about OAuth clients that tests use. */
import type { RegisterOAuthClientInput, ReviewOAuthClientInput } from '../generated/gql/graphql.ts';
import { graphql } from '../generated/gql/index.ts';
import { read, type TestServer } from './support.ts';

export const REGISTER = graphql(`
  mutation RegisterClient($input: RegisterOAuthClientInput!) {
    registerOAuthClient(input: $input) {
      __typename
      ... on RegisterOAuthClientPayload {
        clientSecret
        deduplicated
        client {
          id clientId name type preset status organizationName requiresPkce redirectUris grantTypes version
          scopes { name }
          request { scopes { name description risk } redirectUris grantTypes requiresPkce }
          secrets { expiresAt }
        }
      }
      ... on Error { message }
      ... on ValidationError { faults { path message } }
    }
  }
`);

export const UPDATE_CLIENT = graphql(`
  mutation UpdateClient($input: UpdateOAuthClientInput!) {
    updateOAuthClient(input: $input) {
      __typename
      ... on UpdateOAuthClientPayload {
        client { name homepageUrl status version redirectUris requiresPkce request { redirectUris scopes { name } } }
      }
      ... on Error { message }
      ... on ValidationError { faults { path message } }
      ... on ConflictError { currentVersion current { __typename ... on OAuthClient { name version } } }
    }
  }
`);

export const REVIEW = graphql(`
  mutation ReviewClient($input: ReviewOAuthClientInput!) {
    reviewOAuthClient(input: $input) {
      __typename
      ... on ReviewOAuthClientPayload {
        client {
          status statusReason isSuspendedByPlatform version redirectUris grantTypes
          scopes { name } request { requiresPkce }
        }
      }
      ... on Error { message }
      ... on ValidationError { faults { path message } }
      ... on ConflictError { currentVersion current { __typename ... on OAuthClient { version } } }
    }
  }
`);

export const ROTATE_CLIENT = graphql(`
  mutation RotateClient($input: RotateOAuthClientSecretInput!) {
    rotateOAuthClientSecret(input: $input) {
      __typename
      ... on RotateOAuthClientSecretPayload {
        clientSecret overlapEndsAt deduplicated client { version secrets { expiresAt } }
      }
      ... on Error { message }
      ... on ValidationError { faults { path message } }
    }
  }
`);

export const END_OVERLAP = graphql(`
  mutation EndOverlap($input: EndOAuthClientSecretOverlapInput!) {
    endOAuthClientSecretOverlap(input: $input) {
      __typename
      ... on EndOAuthClientSecretOverlapPayload { client { secrets { expiresAt } } }
      ... on Error { message }
    }
  }
`);

export const SUSPEND = graphql(`
  mutation SuspendClient($input: SuspendOAuthClientInput!) {
    suspendOAuthClient(input: $input) {
      __typename
      ... on SuspendOAuthClientPayload { client { status statusReason } }
      ... on Error { message }
    }
  }
`);

export const RESUME = graphql(`
  mutation ResumeClient($input: ResumeOAuthClientInput!) {
    resumeOAuthClient(input: $input) {
      __typename
      ... on ResumeOAuthClientPayload { client { status } }
      ... on Error { message }
    }
  }
`);

export const DELETE_CLIENT = graphql(`
  mutation DeleteClient($input: DeleteOAuthClientInput!) {
    deleteOAuthClient(input: $input) {
      __typename
      ... on DeleteOAuthClientPayload { deletedId }
      ... on Error { message }
    }
  }
`);

export const CLIENTS = graphql(`
  query Clients($filter: OAuthClientFilter, $first: Int, $after: Cursor) {
    organization {
      oauthClients(filter: $filter, first: $first, after: $after) {
        totalCount { value }
        nodes { id clientId status }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
`);

export const PLATFORM_CLIENTS = graphql(`
  query PlatformClients($filter: OAuthClientFilter) {
    platformOAuthClients(filter: $filter, first: 100) {
      totalCount { value }
      nodes { id clientId status organizationName }
    }
  }
`);

/** Registers a client of North; answers it with its secret. */
export async function register(
  server: TestServer,
  input: Partial<RegisterOAuthClientInput> = {},
  token = 'north-admin',
) {
  const { registerOAuthClient: answer } = await read(server, token, REGISTER, {
    input: { name: 'Gradebook', redirectUris: ['https://lms.example/cb'], ...input },
  });
  if (!('client' in answer)) throw new Error(JSON.stringify(answer));
  return answer;
}

/** Decides about a client in the name of the platform. */
export async function review(server: TestServer, input: ReviewOAuthClientInput) {
  const { reviewOAuthClient } = await read(server, 'platform', REVIEW, { input });
  return reviewOAuthClient;
}
