// A webhook receiver to try things out with: prints what comes, verified if WEBHOOK_SECRET is set.
// Usage: WEBHOOK_SECRET=whsec_… node examples/receiver.js [port]
import { createServer } from 'node:http';
import { verifyWebhook } from '../verify/index.js';

const port = Number(process.argv[2] ?? 4999);
const secret = process.env.WEBHOOK_SECRET;

createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString();
  try {
    const { event, data } = secret ? verifyWebhook(body, request.headers, secret) : JSON.parse(body);
    console.log(`${event} (${secret ? 'signature verified' : 'not verified'})`, data);
    response.end('ok');
  } catch (error) {
    console.log(`refused: ${error.message}`);
    response.writeHead(400).end(error.message);
  }
}).listen(port, '127.0.0.1', () => console.log(`Waiting for webhooks at http://127.0.0.1:${port}/`));
