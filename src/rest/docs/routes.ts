/** GET /docs: the OpenAPI document as a page on which everything can be tried out. Nothing comes from elsewhere. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import type { Hono } from 'hono';
import swaggerUi from 'swagger-ui-dist/package.json' with { type: 'json' };
import { sha256 } from '../../lib/crypto.ts';
import { type Asset, createAssetRoutes, file } from '../../platform/http/assets.ts';
import { docsPage } from './page.ts';

export const DOCS_PATH = '/docs';

const { resolve } = createRequire(import.meta.url);

/** The page and its files, for everybody: they hold nothing of anybody. */
export function createDocsRoutes(): Hono {
  const styles = [ofSwaggerUi('swagger-ui.css', 'text/css'), ofOurs('docs.css', 'text/css')];
  const scripts = [ofSwaggerUi('swagger-ui-bundle.js', 'text/javascript')];
  const modules = [ofOurs('docs.js', 'text/javascript')];
  const app = createAssetRoutes([...styles, ...scripts, ...modules]);
  const urls = { styles: urlsOf(styles), scripts: urlsOf(scripts), modules: urlsOf(modules) };
  app.get(DOCS_PATH, () => docsPage(urls));
  return app;
}

function ofSwaggerUi(name: string, type: Asset['type']): Asset {
  const url = pathToFileURL(resolve(`swagger-ui-dist/${name}`));
  return { path: `${DOCS_PATH}/swagger-ui-${swaggerUi.version}/${name}`, type, load: file(url) };
}

/** Changed without a new version, so its path holds a hash of its content. */
function ofOurs(name: string, type: Asset['type']): Asset {
  const content = readFileSync(new URL(name, import.meta.url), 'utf8');
  const hash = sha256(content).toString('hex').slice(0, 16);
  return { path: `${DOCS_PATH}/${hash}/${name}`, type, load: async () => content };
}

function urlsOf(assets: readonly Asset[]): readonly string[] {
  return assets.map(({ path }) => path.slice(1));
}
