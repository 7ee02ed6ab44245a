/** The built-in receiver over HTTP: deliveries go to /demo/receiver/:behaviour, what came is shown at /demo/receiver. */
import { type Context, Hono } from 'hono';
import { accepts } from 'hono/accepts';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { AppError } from '../lib/errors.ts';
import type { HttpEnv } from '../platform/http/env.ts';
import { receiverPage } from './page.ts';
import { BEHAVIOURS, type Behaviour, type Receiver } from './receiver.ts';
import { RECEIVER_PATH } from './school.ts';

/** For everybody: it belongs to a demo, and holds nothing that was not sent to it. */
export function createReceiverRoutes(receiver: Receiver): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  app.get(RECEIVER_PATH, async (c) => {
    const requests = receiver.remembered();
    const type = accepts(c, {
      header: 'Accept',
      supports: ['application/json', 'text/html'],
      default: 'application/json',
    });
    if (type === 'text/html') return receiverPage(requests);
    return c.json({ behaviours: describeBehaviours(), requests });
  });
  const receive = async (c: Context<HttpEnv>): Promise<Response> => {
    c.set('isRoutine', true);
    const answer = await receiver.receive({
      path: c.req.path,
      behaviour: behaviourOf(c.req.param('behaviour') ?? ''),
      headers: c.req.raw.headers,
      body: await c.req.text(),
    });
    // Every status of the receiver goes with a body.
    return c.json(answer.body, answer.status as ContentfulStatusCode, answer.headers);
  };
  app.post(`${RECEIVER_PATH}/:behaviour`, receive);
  app.post(`${RECEIVER_PATH}/:behaviour/:name`, receive);
  return app;
}

function describeBehaviours(): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(BEHAVIOURS).map(([name, text]) => [`${RECEIVER_PATH}/${name}`, text]),
  );
}

function behaviourOf(name: string): Behaviour {
  // A name of the table is one of its keys.
  if (Object.hasOwn(BEHAVIOURS, name)) return name as Behaviour;
  const known = Object.keys(BEHAVIOURS).join(', ');
  throw new AppError('NOT_FOUND', `The receiver knows ${known}, not ${JSON.stringify(name.slice(0, 100))}.`);
}
