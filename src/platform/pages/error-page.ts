/** Errors as pages print them. */
import type { Hono } from 'hono';
import { html } from 'hono/html';
import { AppError } from '../../lib/errors.ts';
import type { HttpEnv } from '../http/env.ts';
import { statusOf } from '../http/problem.ts';
import { type Html, pageResponse } from './page.ts';

const TITLES: Readonly<Record<number, string>> = {
  400: 'This request does not fit',
  401: 'Please sign in',
  403: 'This is not allowed',
  404: 'There is nothing here',
  409: 'This is not possible now',
  413: 'This is too much',
  429: 'Please wait a moment',
  503: 'Not available at the moment',
};

/** Lets what goes wrong in an app's pages be a page, too; what nobody expected, and what is away, is logged. */
export function withErrorPages(app: Hono<HttpEnv>): Hono<HttpEnv> {
  return app.onError((error, c) => {
    if (!(error instanceof AppError)) c.get('log').error({ error }, 'a page failed');
    else if (error.code === 'UNAVAILABLE') c.get('log').warn({ error }, 'a page found something unavailable');
    return errorPage(error, c.get('requestId'));
  });
}

/** The page for whatever was thrown. An unexpected error shows the id of its request and nothing else. */
export async function errorPage(error: unknown, requestId: string): Promise<Response> {
  const known = error instanceof AppError ? error : undefined;
  const status = statusOf(known?.code ?? 'INTERNAL');
  const title = TITLES[status] ?? 'Something went wrong';
  const message =
    known?.message ??
    'Something failed on our side. Try again; if it stays, tell the people who run this server the number below.';
  return pageResponse({
    title,
    status,
    headers: retryHeaders(known),
    body: errorCard(title, message, requestId),
  });
}

function errorCard(title: string, message: string, requestId: string): Html {
  return html`<section class="card">
<div class="lead"><h1>${title}</h1><p>${message}</p></div>
<div class="actions"><a class="button" href="/account">Go to your account</a></div>
<p class="small muted">Request <code>${requestId}</code></p>
</section>`;
}

function retryHeaders(error: AppError | undefined): Record<string, string> {
  if (error?.retryAfterSeconds === undefined) return {};
  return { 'Retry-After': String(Math.ceil(error.retryAfterSeconds)) };
}
