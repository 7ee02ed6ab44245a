/** What is answered where no route is: 405 with Allow if the path has other methods (RFC 9110 15.5.6), else 404. */
import type { Hono, NotFoundHandler } from 'hono';
import { TrieRouter } from 'hono/router/trie-router';
import type { HttpEnv } from './env.ts';
import { makeProblem, type Problem } from './problem.ts';

/** The handler for `app`, whose routes are read at the first miss, when all of them are there. */
export function notFound(app: Hono<HttpEnv>): NotFoundHandler<HttpEnv> {
  let router: TrieRouter<string> | undefined;
  return (c) => {
    router ??= methodsByPath(app);
    const methods = allowedMethods(router, c.req.path);
    if (methods.length === 0) {
      const detail = `There is nothing at ${c.req.path.slice(0, 200)}.`;
      return answer(makeProblem('NOT_FOUND', detail, c.get('requestId')));
    }
    const detail = `${c.req.method} is not possible here; possible are ${methods.join(', ')}.`;
    const problem = makeProblem('METHOD_NOT_ALLOWED', detail, c.get('requestId'));
    return answer(problem, { Allow: methods.join(', ') });
  };
}

function answer(problem: Problem, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { 'Content-Type': 'application/problem+json', ...headers },
  });
}

function methodsByPath(app: Hono<HttpEnv>): TrieRouter<string> {
  const router = new TrieRouter<string>();
  // ALL is middleware, or a route that has answered every method itself.
  for (const { path, method } of app.routes.filter((route) => route.method !== 'ALL')) {
    router.add('ALL', path, method);
  }
  return router;
}

function allowedMethods(router: TrieRouter<string>, path: string): readonly string[] {
  const methods = new Set(router.match('ALL', path)[0].map(([method]) => method));
  if (methods.has('GET')) methods.add('HEAD');
  return [...methods].toSorted();
}
