/** GET /graphql for a browser: GraphiQL with examples, made of files of this server alone. */
import { readdirSync, readFileSync } from 'node:fs';
import graphiql from '@graphql-yoga/render-graphiql/package.json' with { type: 'json' };
import { Hono } from 'hono';
import { sha256 } from '../../lib/crypto.ts';
import { type Asset, createAssetRoutes } from '../../platform/http/assets.ts';
import { GRAPHQL_PATH } from '../server.ts';
import { graphiQLPage } from './page.ts';

/** The operations of the tabs, in their order. Each of them works as it stands. */
export const EXAMPLES: readonly string[] = readdirSync(new URL('examples/', import.meta.url))
  .toSorted()
  .map((name) => readFileSync(new URL(`examples/${name}`, import.meta.url), 'utf8'));

/** The page and its files, for everybody: they hold nothing of anybody. What is not for them goes on to the next route. */
export function createGraphiQLRoutes(): Hono {
  const styles = [ofPackage('css', 'text/css'), ofOurs('graphiql.css', 'text/css')];
  const scripts = [ofPackage('js', 'text/javascript')];
  const modules = [ofOurs('graphiql.js', 'text/javascript')];
  const workers = {
    editorWorkerService: ofPackage('editorWorkerService', 'text/javascript'),
    json: ofPackage('jsonWorker', 'text/javascript'),
    graphql: ofPackage('graphqlWorker', 'text/javascript'),
  };
  const page = {
    styles: styles.map(toUrl),
    scripts: scripts.map(toUrl),
    modules: modules.map(toUrl),
    settings: {
      endpoint: GRAPHQL_PATH.slice(1),
      examples: EXAMPLES,
      workers: Object.fromEntries(Object.entries(workers).map(([label, worker]) => [label, toUrl(worker)])),
    },
  };
  const app = new Hono();
  app.route('/', createAssetRoutes([...styles, ...scripts, ...modules, ...Object.values(workers)]));
  app.get(GRAPHQL_PATH, (c, next) =>
    wantsPage(c.req.raw.headers) ? Promise.resolve(graphiQLPage(page)) : next(),
  );
  return app;
}

/** Browsers ask for HTML when they go somewhere; clients of the API ask for JSON or a stream. */
function wantsPage(headers: Headers): boolean {
  return /\btext\/html\b/.test(headers.get('accept') ?? '');
}

type Part = 'css' | 'js' | 'editorWorkerService' | 'jsonWorker' | 'graphqlWorker';

/** Nine megabytes of text: not read before somebody opens the page. */
function ofPackage(part: Part, type: Asset['type']): Asset {
  return {
    path: `${GRAPHQL_PATH}/graphiql-${graphiql.version}/${part}`,
    type,
    load: async () => (await import('@graphql-yoga/render-graphiql/graphiql'))[part],
  };
}

/** Changed without a new version, so its path holds a hash of its content. */
function ofOurs(name: string, type: Asset['type']): Asset {
  const content = readFileSync(new URL(name, import.meta.url), 'utf8');
  const hash = sha256(content).toString('hex').slice(0, 16);
  return { path: `${GRAPHQL_PATH}/graphiql-${hash}/${name}`, type, load: async () => content };
}

function toUrl({ path }: Asset): string {
  return path.slice(1);
}
