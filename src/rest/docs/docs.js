// The page at /docs: Swagger UI over the document, at whatever address the page was reached. Runs in the browser.

const base = new URL('.', window.location.href).href.replace(/\/$/, '');
const dark = window.matchMedia('(prefers-color-scheme: dark)');
const followTheme = () => document.documentElement.classList.toggle('dark-mode', dark.matches);
followTheme();
dark.addEventListener('change', followTheme);

const answer = await fetch(`${base}/api/openapi.json`);
const spec = await answer.json();
// PUBLIC_URL may be another address than the one that this page may speak to.
spec.servers = [{ url: base }];
const { clientCredentials } = spec.components.securitySchemes.oauth2.flows;
clientCredentials.tokenUrl =
  base + new URL(clientCredentials.tokenUrl).pathname.replace(/^.*(?=\/api\/)/, '');
leaveOptionalFieldsEmpty();

window.SwaggerUIBundle({
  spec,
  dom_id: '#docs',
  deepLinking: true,
  tryItOutEnabled: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
  presets: [window.SwaggerUIBundle.presets.apis],
  plugins: [leaveOutWhatBrowsersDo],
  requestInterceptor: async (request) => {
    for (const [id, find] of Object.entries(
      standIns(request.headers?.Authorization, isReplayOfOne(request)),
    )) {
      if (!isAbout(request, id)) continue;
      const real = await find();
      if (real === undefined) continue;
      request.url = request.url.replaceAll(id, real);
      if (typeof request.body === 'string') request.body = request.body.replaceAll(id, real);
    }
    return request;
  },
});

/** Where a browser is sent cannot be fetched by a page: what answers pages alone gets no button. */
function leaveOutWhatBrowsersDo({ React }) {
  const answersPages = ({ path, method }) =>
    Object.keys(spec.paths[path]?.[method]?.responses[200]?.content ?? {}).join() === 'text/html';
  return {
    wrapComponents: {
      execute: (Execute) => (props) =>
        answersPages(props)
          ? React.createElement('p', {}, 'Open this in a browser; there is nothing to fetch.')
          : React.createElement(Execute, props),
    },
  };
}

/** Swagger UI fills in whatever has an example, or a type; a filter that nobody chose would answer nothing. */
function leaveOptionalFieldsEmpty() {
  for (const { parameters = [], requestBody } of Object.values(spec.paths).flatMap((methods) =>
    Object.values(methods),
  )) {
    for (const { required, schema } of parameters) if (!required) delete schema.example;
    const form = requestBody?.content['application/x-www-form-urlencoded'];
    if (form === undefined) continue;
    const { required, properties } = spec.components.schemas[form.schema.$ref.split('/').at(-1)];
    for (const name of Object.keys(properties)) if (!required.includes(name)) properties[name].example = '';
  }
}

/** @param {{ url: string }} request */
function isReplayOfOne({ url }) {
  return /\/deliveries\/[^/]+\/replay$/.test(url);
}

/** @param {{ url: string, body?: unknown }} request @param {string} id */
function isAbout({ url, body }, id) {
  return url.includes(id) || (typeof body === 'string' && body.includes(id));
}

/** @param {string} path */
function firstExample(path) {
  return Object.values(spec.paths[path].post.requestBody.content['application/json'].examples)[0].value;
}

/**
 * What the ids of the examples stand for: a subscription to the example's own URL, which leads nowhere, a test delivery
 * of it, a replay, and a client with the example's own name, which nobody has approved. They are made when they are
 * needed and not there; nothing else is touched by trying an example out.
 * @param {string | undefined} authorization
 * @param {boolean} isReplay
 */
function standIns(authorization, isReplay) {
  const path = '/api/webhooks/subscriptions';
  const example = firstExample(path);
  const subscription = async () => {
    const list = await call(authorization, `${path}?limit=100`);
    const found = list?.data?.find(
      ({ target_url: url }) => new URL(url).host === new URL(example.target_url).host,
    );
    return (found ?? (await call(authorization, path, example)))?.id;
  };
  const delivery = async () => {
    const subscriptionId = await subscription();
    const list = await call(
      authorization,
      `/api/webhooks/deliveries?limit=1&subscription_id=${subscriptionId}`,
    );
    if (list?.data?.length > 0) return list.data[0].id;
    return (await call(authorization, '/api/webhooks/test', { subscription_id: subscriptionId }))
      ?.delivery_id;
  };
  // Only what has ended can be replayed.
  const ended = async () => {
    const subscriptionId = await subscription();
    const test = await call(authorization, '/api/webhooks/test', { subscription_id: subscriptionId });
    await call(authorization, `/api/webhooks/deliveries/${test?.delivery_id}/cancel`, {});
    return test?.delivery_id;
  };
  const client = async () => {
    const clients = '/api/oauth/clients';
    const own = firstExample(clients);
    const list = await call(undefined, `${clients}?limit=100`);
    return (list?.data?.find(({ name }) => name === own.name) ?? (await call(undefined, clients, own)))?.id;
  };
  const replay = async () => {
    const replays = '/api/webhooks/replays';
    const list = await call(authorization, `${replays}?limit=1`);
    return (list?.data?.[0] ?? (await call(authorization, replays, { statuses: ['failed'] })))?.id;
  };
  const ids = spec['x-example-ids'];
  return {
    [ids.subscription]: subscription,
    [ids.delivery]: isReplay ? ended : delivery,
    [ids.replay]: replay,
    [ids.client]: client,
  };
}

/** Undefined for a refusal, which the request itself will then show. */
async function call(authorization, path, body) {
  const response = await fetch(base + path, {
    headers: {
      ...(authorization === undefined ? {} : { Authorization: authorization }),
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
    },
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
  });
  return response.ok ? response.json() : undefined;
}
