/** The authorization endpoint as OpenAPI describes it. It is for browsers: its answers are pages and redirects. */
import { createRoute, z } from '@hono/zod-openapi';
import { AUTHORIZE_PATH } from './metadata.ts';

const authorizationRequest = z.object({
  response_type: z.literal('code'),
  client_id: z.string().openapi({ example: 'aB3dE5fG7hJ9kL1mN3pQ' }),
  redirect_uri: z.string().optional().openapi({
    description: 'One that is registered, character by character. It may be left out where there is one.',
    example: 'https://lms.example/oauth/callback',
  }),
  scope: z.string().optional().openapi({
    description: 'Names, separated by spaces. All that the client is approved for, if left out.',
    example: 'read:quests read:grades',
  }),
  state: z.string().optional().openapi({
    description: 'Comes back as it was sent. Something that only this browser’s session knows, against CSRF.',
  }),
  code_challenge: z.string().optional().openapi({
    description: 'Required, unless the client is exempt (RFC 7636).',
    example: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
  }),
  code_challenge_method: z.literal('S256').optional(),
  prompt: z.string().optional().openapi({
    description: 'none: ask nothing; login: sign in anew; consent or select_account: ask in any case.',
    example: 'login',
  }),
});

/** The definition of the route; that of the decision is for the page alone. */
export function authorizeDefinition() {
  return createRoute({
    method: 'get',
    path: AUTHORIZE_PATH,
    operationId: 'authorize',
    tags: ['OAuth'],
    summary: 'Ask a person',
    description:
      'Where a client sends a person’s browser (RFC 6749 4.1.1). The person signs in, sees what is asked for and decides; the browser goes back to the redirect URI with `code`, or with `error`, and with `iss` (RFC 9207) and `state`.',
    security: [],
    request: { query: authorizationRequest },
    responses: {
      200: page('The consent page.'),
      303: {
        description: 'Back to the client, or to the sign-in page and then here again.',
        headers: { Location: { schema: { type: 'string' as const }, description: 'Where to go.' } },
      },
      400: page('Client or redirect URI are not right, so there is nowhere to go back to.'),
      403: page('The client is not approved, or the person may not allow it anything.'),
      429: page('Too many requests from this address.'),
      503: page('Not available at the moment.'),
    },
  });
}

function page(description: string) {
  return { description, content: { 'text/html': { schema: z.string() } } };
}
