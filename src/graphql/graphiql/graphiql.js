/* Starts GraphiQL with the examples that the page brings along. Nothing is stored but queries: no headers, no tokens. */
const page = JSON.parse(document.querySelector('#settings').textContent);
const endpoint = new URL(page.endpoint, location.href).pathname;

globalThis.MonacoEnvironment = {
  globalAPI: false,
  getWorkerUrl: (_module, label) => new URL(page.workers[label], location.href).href,
};

const HEADERS_WITHOUT_SESSION = `{
  // Not signed in: sign in at /login and reload,
  // or get an access token, in a shell,
  //   curl -u "$CLIENT_ID:$CLIENT_SECRET" \\
  //     -d grant_type=client_credentials \\
  //     ${location.origin}/api/oauth/token
  // and put it here:
  // "Authorization": "Bearer <access_token>"
}`;

/* Other pages cannot send this header without being asked, so that a session's cookie is of no use to them. */
const additionalHeaders = { 'GraphQL-Require-Preflight': '1' };

async function isSignedIn() {
  try {
    const response = await fetch(endpoint, {
      method: 'POST',
      credentials: 'same-origin',
      headers: { 'Content-Type': 'application/json', ...additionalHeaders },
      body: JSON.stringify({ query: '{ viewer { role } }' }),
    });
    const { data } = await response.json();
    return Boolean(data?.viewer);
  } catch {
    return false;
  }
}

const headers = (await isSignedIn()) ? '' : HEADERS_WITHOUT_SESSION;
globalThis.YogaGraphiQL.renderYogaGraphiQL(document.querySelector('#graphiql'), {
  endpoint,
  title: 'Optio Connect',
  logo: '',
  additionalHeaders,
  credentials: 'same-origin',
  shouldPersistHeaders: false,
  headers,
  defaultTabs: page.examples.map((query) => ({ query, headers })),
});
