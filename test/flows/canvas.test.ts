/** The journey of an LMS (docs/guides/canvas.md), through the server as operators run it, as Canvas would go it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verifyWebhook, verifyWebhookSignature } from '../../verify/index.js';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { createLms, type Json, type Lms, type Tokens } from '../support/lms.ts';
import { type MailServer, startMailServer } from '../support/mail-server.ts';
import { type Browser, openBrowser } from '../support/plain-browser.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { type RunningServer, startServer } from '../support/server.ts';

const [HEAD, ADA] = ['head@school.example', 'ada@school.example'];
const [HEAD_PASSWORD, ADA_PASSWORD] = ['a walk in the rain', 'seventeen quiet herons'];
const REDIRECT_URI = 'https://canvas.example/login/oauth2/callback';
const LEARNING = 'read:quests read:tasks write:tasks';

let database: TestDatabase;
let mails: MailServer;
let receiver: Receiver;
let server: RunningServer;
let publicUrl: string;
let head: Browser;
/** What each step hands to the next. */
let client: { readonly id: string; readonly clientId: string; readonly version: number };
let lms: Lms;
let webhookSecret: string;
let quest: {
  readonly id: string;
  readonly uuid: string;
  readonly tasks: readonly { id: string; uuid: string }[];
};
let tokens: Tokens;
let studentId: string;

beforeAll(async () => {
  [database, mails, receiver] = await Promise.all([
    createTestDatabase(),
    startMailServer({ login: { user: 'optio', password: 'smtp-p4ssword' } }),
    startReceiver(),
  ]);
  server = await startServer({
    DATABASE_URL: database.ownerUrl,
    BOOTSTRAP_ADMIN_EMAIL: HEAD,
    BOOTSTRAP_ADMIN_PASSWORD: HEAD_PASSWORD,
    SMTP_URL: `smtp://optio:smtp-p4ssword@127.0.0.1:${mails.port}?tls=off`,
    MAIL_FROM: 'Optio Connect <no-reply@school.example>',
  });
  publicUrl = (await server.said(/Sign in +(\S+)\/login/))?.[1] ?? '';
  head = await signIn(HEAD, HEAD_PASSWORD);
});
afterAll(async () => {
  await server.stop();
  await Promise.all([receiver.close(), mails.close()]);
  await database.drop();
});

async function signIn(email: string, password: string): Promise<Browser> {
  const browser = openBrowser(server.url, publicUrl);
  const answer = await browser.submit('/login', { email, password });
  expect(answer.status).toBe(303);
  return browser;
}

/** Asks in a session; answers the data. */
async function inSession(browser: Browser, query: string, variables: object = {}): Promise<Json> {
  const { body } = await browser.postJson('/graphql', { query, variables });
  expect(body).not.toHaveProperty('errors');
  return (body as { data: Json }).data; // As GraphQL answers.
}

// One journey in steps: each rests on the one before.
describe('The journey of an LMS', () => {
  it('1: the school registers the client, which can do nothing yet', async () => {
    const data = await inSession(
      head,
      `mutation ($input: RegisterOAuthClientInput!) { registerOAuthClient(input: $input) {
         ... on RegisterOAuthClientPayload { clientSecret client { id clientId version status } } } }`,
      {
        input: {
          name: 'Canvas of Northfield',
          preset: 'CANVAS',
          redirectUris: [REDIRECT_URI],
          scopes: [...LEARNING.split(' '), 'write:webhooks'],
          requiresPkce: false,
        },
      },
    );
    const registered = data['registerOAuthClient'] as { client: typeof client; clientSecret: string }; // As asked for.
    expect(registered.client).toMatchObject({ status: 'PENDING' });
    ({ client } = registered);
    const credentials = { clientId: client.clientId, secret: registered.clientSecret };
    lms = createLms({ url: server.url, redirectUri: REDIRECT_URI, ...credentials });
    const early = await head.get(`/api/oauth/authorize?response_type=code&client_id=${client.clientId}`);
    expect(early.status).toBe(403);
  });

  it('2: an admin of the platform approves it', async () => {
    const { id, version: expectedVersion } = client;
    const data = await inSession(
      head,
      `mutation ($input: ReviewOAuthClientInput!) { reviewOAuthClient(input: $input) {
         ... on ReviewOAuthClientPayload { client { status } } } }`,
      { input: { id, decision: 'APPROVE', expectedVersion } },
    );
    expect(data).toEqual({ reviewOAuthClient: { client: { status: 'APPROVED' } } });
  });

  it('3: an admin of the school allows it to manage webhooks, and it subscribes with that token', async () => {
    tokens = await lms.authorize(head, 'write:webhooks');
    const { status, body } = await lms.rest(tokens, 'POST', '/api/webhooks/subscriptions', {
      target_url: receiver.url,
      event_types: ['user.registered', 'task.completed', 'quest.completed'],
    });
    expect(status).toBe(201);
    webhookSecret = String(body['secret']);
  });

  it('4: a teacher publishes a quest, and a student joins', async () => {
    const task = (title: string, xp: number) => ({ title, xp, pillar: 'STEM' });
    const data = await inSession(
      head,
      `mutation ($input: CreateQuestInput!) { createQuest(input: $input) {
         ... on CreateQuestPayload { quest { id uuid tasks { id uuid } } } } }`,
      {
        input: {
          title: 'The river behind the school',
          description: 'How is it?',
          pillar: 'STEM',
          xp: 100,
          tasks: [task('Take a water sample', 50), task('Count the mayflies', 60)],
        },
      },
    );
    ({ quest } = data['createQuest'] as { quest: typeof quest }); // As asked for.
    const publish = `mutation ($id: ID!) { changeQuestStatus(input: { id: $id, status: PUBLISHED }) { __typename } }`;
    expect(await inSession(head, publish, { id: quest.id })).toEqual({
      changeQuestStatus: { __typename: 'ChangeQuestStatusPayload' },
    });
    const invite = `mutation ($email: String!) {
      inviteMember(input: { email: $email, name: "Ada", role: STUDENT }) { __typename } }`;
    expect(await inSession(head, invite, { email: ADA })).toEqual({
      inviteMember: { __typename: 'InviteMemberPayload' },
    });
    await mails.received(1);
    const { pathname, search } = new URL(mails.linkTo(ADA));
    const joined = await openBrowser(server.url, publicUrl).submit(`${pathname}${search}`, {
      name: 'Ada Lovelace',
      password: ADA_PASSWORD,
    });
    expect(joined.headers.get('location')).toBe('/login?note=joined');
  });

  it('5: the student allows it to learn for her; the token tells who she is, and does no more', async () => {
    tokens = await lms.authorize(await signIn(ADA, ADA_PASSWORD), LEARNING);
    expect(new Set(tokens.scope.split(' '))).toEqual(new Set(LEARNING.split(' ')));
    const { body } = await lms.rest(tokens, 'GET', '/api/me');
    expect(body).toMatchObject({
      role: 'STUDENT',
      client_id: client.clientId,
      scopes: expect.arrayContaining(['write:tasks']),
    });
    studentId = String(body['user_id']);
    expect(await lms.graphql(tokens, '{ viewer { role clientId learner { totalXp } } }')).toMatchObject({
      data: { viewer: { role: 'STUDENT', clientId: client.clientId, learner: null } },
    });
    expect((await lms.rest(tokens, 'GET', '/api/webhooks/subscriptions')).status).toBe(403);
    const grade = `mutation ($quest: ID!, $user: ID!) { recordGrade(input: { questId: $quest, userId: $user, grade: 100 }) { __typename } }`;
    expect(await lms.graphql(tokens, grade, { quest: quest.id, user: studentId })).toMatchObject({
      data: { recordGrade: { __typename: 'ForbiddenError' } },
    });
  });

  it('6: it finds the quest, starts it and completes its tasks', async () => {
    const { data } = await lms.graphql(
      tokens,
      '{ organization { quests(filter: { search: "river" }) { nodes { id tasks { id } } } } }',
    );
    expect(data).toEqual({
      organization: { quests: { nodes: [{ id: quest.id, tasks: quest.tasks.map(({ id }) => ({ id })) }] } },
    });
    await lms.graphql(tokens, `mutation ($id: ID!) { startQuest(input: { questId: $id }) { __typename } }`, {
      id: quest.id,
    });
    const complete = `mutation ($id: ID!) { completeTask(input: { taskId: $id }) {
      ... on CompleteTaskPayload { isNew questCompleted enrolment { xpEarned } } } }`;
    const answers = [];
    // The last one twice, as a backend does that lost the answer.
    for (const { id } of [...quest.tasks, ...quest.tasks.slice(-1)])
      answers.push((await lms.graphql(tokens, complete, { id }))['data']);
    expect(answers).toEqual([
      { completeTask: { isNew: true, questCompleted: false, enrolment: { xpEarned: 50 } } },
      { completeTask: { isNew: true, questCompleted: true, enrolment: { xpEarned: 210 } } },
      { completeTask: { isNew: false, questCompleted: false, enrolment: { xpEarned: 210 } } },
    ]);
  });

  it('7: the receiver gets each event once, with its data, signed', async () => {
    const requests = await receiver.received(4);
    for (const { body, headers } of requests) {
      expect(verifyWebhookSignature(body, String(headers['x-optio-signature']), webhookSecret)).toBe(true);
      const sent = new Headers(
        Object.entries(headers).map(([name, value]): [string, string] => [name, String(value)]),
      );
      expect(verifyWebhook(body, sent, webhookSecret)).toEqual(JSON.parse(body));
    }
    const events = requests.map(({ body }) => JSON.parse(body) as { event: string; data: Json }); // The envelope.
    const of = (type: string) => events.filter(({ event }) => event === type).map(({ data }) => data);
    const [common, at] = [{ user_id: studentId, quest_id: quest.uuid }, { completed_at: expect.any(String) }];
    const done = (index: number, task_title: string, xp_awarded: number) => ({
      ...common,
      ...at,
      task_id: quest.tasks[index]?.uuid,
      task_title,
      xp_awarded,
      pillar: 'stem',
    });
    expect(of('user.registered')).toEqual([
      { user_id: studentId, role: 'STUDENT', registered_at: expect.any(String) },
    ]);
    expect(
      of('task.completed').toSorted((a, b) => Number(a['xp_awarded']) - Number(b['xp_awarded'])),
    ).toEqual([done(0, 'Take a water sample', 50), done(1, 'Count the mayflies', 60)]);
    expect(of('quest.completed')).toEqual([
      {
        ...common,
        ...at,
        quest_title: 'The river behind the school',
        tasks_completed: 2,
        total_xp_earned: 210,
      },
    ]);
    expect(requests).toHaveLength(4);
  });

  it('8: it goes on by its refresh token', async () => {
    const response = await lms.post('/api/oauth/token', {
      grant_type: 'refresh_token',
      refresh_token: tokens.refresh_token,
    });
    expect(response.status).toBe(200);
    const before = tokens;
    tokens = (await response.json()) as Tokens; // RFC 6749 5.1.
    expect(tokens.refresh_token).not.toBe(before.refresh_token);
    expect((await lms.rest(tokens, 'GET', '/api/me')).status).toBe(200);
  });

  it('9: it revokes what it holds, and is nobody from then on', async () => {
    expect((await lms.post('/api/oauth/revoke', { token: tokens.refresh_token })).status).toBe(200);
    expect((await lms.rest(tokens, 'GET', '/api/me')).status).toBe(401);
    const late = await lms.post('/api/oauth/token', {
      grant_type: 'refresh_token',
      refresh_token: tokens.refresh_token,
    });
    expect(await late.json()).toMatchObject({ error: 'invalid_grant' });
  });
});
