/** Attempts: the single HTTP POSTs of a delivery. */
import { z } from 'zod';
import type { AttemptRecord } from '../../webhooks/delivery-batch.ts';
import type { FailureKind } from '../../webhooks/outcome.ts';
import type { Builder } from '../builder.ts';
import type { GraphQLContext } from '../context.ts';
import { globalId } from '../global-id.ts';
import { attemptKey } from '../loaders.ts';

export type AttemptErrorKindRef = ReturnType<typeof addErrorKind>;

/** Registers DeliveryAttempt; answers the enum of why one failed. */
export function addDeliveryAttempt(builder: Builder): AttemptErrorKindRef {
  const errorKind = addErrorKind(builder);
  const timing = addTiming(builder);
  builder.objectType('DeliveryAttempt', {
    description: 'One HTTP POST of a delivery.',
    interfaces: [builder.nodeInterfaceRef()],
    fields: (t) => ({
      id: t.id({
        description: 'Its global id.',
        resolve: (attempt) => globalId('DeliveryAttempt', attemptKey(attempt)),
      }),
      number: t.exposeInt('number', { description: 'The first attempt of its delivery is 1.' }),
      startedAt: t.expose('startedAt', { type: 'DateTime', description: 'When it began.' }),
      durationMs: t.int({
        description: 'How long it took in all, in milliseconds.',
        resolve: ({ totalMs }) => Math.round(totalMs),
      }),
      timing: t.field({
        type: timing,
        description: 'How long each phase took.',
        resolve: (attempt) => attempt,
      }),
      responseCode: t.exposeInt('responseCode', {
        nullable: true,
        description: 'The status code of the answer; null without an answer.',
      }),
      errorKind: t.field({
        type: errorKind,
        nullable: true,
        description: 'Why it failed; null if it succeeded.',
        resolve: ({ errorKind: stored }) => (stored === null ? null : toErrorKind(stored)),
      }),
      error: t.exposeString('error', {
        nullable: true,
        description: 'Why it failed, for people; null if it succeeded.',
      }),
    }),
  });
  addContent(builder);
  return errorKind;
}

function addContent(builder: Builder): void {
  builder.objectFields('DeliveryAttempt', (t) => ({
    requestHeaders: t.field({
      type: ['Header'],
      description: 'The headers that were sent, credentials masked.',
      resolve: async (attempt, _args, context) =>
        HEADERS.parse((await contentOf(attempt, context)).requestHeaders),
    }),
    responseHeaders: t.field({
      type: ['Header'],
      nullable: true,
      description: 'The headers of the answer, credentials masked; null without an answer.',
      resolve: async (attempt, _args, context) => {
        const { responseHeaders } = await contentOf(attempt, context);
        return responseHeaders === null ? null : HEADERS.parse(responseHeaders);
      },
    }),
    responseBody: t.string({
      nullable: true,
      description: 'The body of the answer, or its beginning (16 KiB); null without an answer.',
      resolve: async (attempt, _args, context) => (await contentOf(attempt, context)).responseBody,
    }),
  }));
}

const HEADERS = z.array(z.tuple([z.string(), z.string()]));

async function contentOf(attempt: AttemptRecord, { features }: GraphQLContext) {
  const content = await features().loaders.attemptContent(attemptKey(attempt));
  if (content === undefined)
    throw new Error(`The attempt ${attemptKey(attempt)} vanished within a transaction.`);
  return content;
}

function addTiming(builder: Builder) {
  return builder.objectRef<AttemptRecord>('AttemptTiming').implement({
    description:
      'How long each phase of an attempt took, in milliseconds; null where the phase did not happen.',
    fields: (t) => ({
      dnsMs: t.exposeFloat('dnsMs', { nullable: true, description: 'Resolving the name.' }),
      connectMs: t.exposeFloat('connectMs', { nullable: true, description: 'Connecting.' }),
      tlsMs: t.exposeFloat('tlsMs', { nullable: true, description: 'The TLS handshake.' }),
      firstByteMs: t.exposeFloat('firstByteMs', {
        nullable: true,
        description: 'From sending the request to the first byte of the answer.',
      }),
      totalMs: t.exposeFloat('totalMs', { description: 'Everything.' }),
    }),
  });
}

const ERROR_KINDS = {
  DNS: { value: 'dns', description: 'The name did not resolve.' },
  CONNECT: { value: 'connect', description: 'No connection came about.' },
  TLS: { value: 'tls', description: 'The TLS handshake failed, or the certificate is not to be trusted.' },
  TIMEOUT: { value: 'timeout', description: 'The time limit was reached.' },
  BLOCKED_ADDRESS: { value: 'blocked_address', description: 'The address is one that nothing is sent to.' },
  INVALID_URL: { value: 'invalid_url', description: 'The URL is none that a request can be sent to.' },
  RESET: { value: 'reset', description: 'The connection broke before the answer was complete.' },
  PROTOCOL: { value: 'protocol', description: 'What came back is not HTTP.' },
  PROXY: { value: 'proxy', description: 'The egress proxy did not let it through.' },
  HTTP_STATUS: { value: 'http_status', description: 'The answer had another status than 2xx.' },
} as const satisfies Record<Uppercase<FailureKind>, { value: FailureKind; description: string }>;

function addErrorKind(builder: Builder) {
  return builder.enumType('AttemptErrorKind', { description: 'Why an attempt failed.', values: ERROR_KINDS });
}

/** The reason as it is stored. */
export function toErrorKind(stored: string): FailureKind {
  const known = Object.values(ERROR_KINDS).find(({ value }) => value === stored);
  if (known === undefined) throw new Error(`An attempt has the unknown error kind ${stored}.`);
  return known.value;
}
