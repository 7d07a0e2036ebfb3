// SPDX-License-Identifier: Apache-2.0
// node node_case.js CASE: a service, its upstream and its client in one process. Prints, for every request that
// reached the upstream, its path and the trace headers that it carried.
const http = require('http');
const net = require('net');
const NAMES = /^(x-request-id|traceparent|tracestate|baggage|x-b3-traceid|x-odd)$/;
const id = (n) => `00-${String(n).padStart(32, '0')}-00f067aa0ba902b7-01`;
const TRACE = { 'x-request-id': 'r1', traceparent: id(1), tracestate: 'v=1', baggage: 'u=1' };
const sleep = (ms) => new Promise((r) => setTimeout(r, ms));
let up, here, db;

const get = (path, more = {}) => new Promise((resolve, reject) => {
  http.get({ host: '127.0.0.1', port: up, path, ...more }, (r) => r.resume().on('end', resolve)).on('error', reject);
});
const send = (headers, more = {}) => new Promise((resolve, reject) => {
  http.get({ port: here, headers, agent: false, ...more }, (r) => r.resume().on('end', resolve)).on('error', reject);
});
// A client of a database: one connection, opened when first needed, whose answers come by callback.
let line, waiting = [], interval;
function query(done) {
  if (!line) {
    line = net.connect(db, '127.0.0.1');
    line.on('data', (d) => { for (let i = 0; i < d.length; i++) waiting.shift()(); });
  }
  waiting.push(done);
  line.write('x');
}

const cases = {
  plain: { handler: () => get('/out') },
  own: { handler: () => get('/out', { headers: { traceparent: id(7) } }) },
  copied: { handler: (q) => get('/out', { headers: { traceparent: q.headers.traceparent } }) },
  signed: { handler: () => get('/out?X-Amz-Signature=1') },
  hostile: {
    raw: 'GET / HTTP/1.1\r\nHost: a\r\ntraceparent: no\r\nx-request-id: a b\r\nbaggage: u=\xe4\r\nx-b3-traceid: 1\r\n\r\n',
    handler: () => get('/out'),
  },
  redirect: { handler: () => fetch(`http://127.0.0.1:${up}/from`) },
  request: { handler: () => fetch(new Request(`http://127.0.0.1:${up}/from`)) },
  stream: {
    handler: () => fetch(`http://127.0.0.1:${up}/out`, { method: 'POST', duplex: 'half',
      body: new ReadableStream({ start(c) { c.enqueue(new TextEncoder().encode('x')); c.close(); } }) }),
  },
  // The second request finds a connection and an interval that the first began.
  lazy: {
    ids: [1, 2], handler: (q) => new Promise((resolve) => query(() => get('/' + q.headers['x-request-id']).then(resolve))),
  },
  // Servers of HTTP/2, by requests and by streams; a body that comes later.
  http2: { http2: 'request', handler: (q) => new Promise((r) => q.resume().on('end', () => get('/out').then(r))) },
  'http2-stream': { http2: 'stream', handler: (q) => new Promise((r) => q.resume().on('end', () => get('/out').then(r))) },
  // What an error says of where it came from stays readable.
  stack: { handler: () => seen.push(new Error().stack.includes('base64') ? '/unreadable' : '/readable') },
  interval: { handler: () => { interval ??= setInterval(() => get('/tick'), 5); return sleep(40); } },
  pipelined: {
    raw: [1, 2].map((n) => `GET /${n} HTTP/1.1\r\nHost: a\r\nx-request-id: ${n}\r\n\r\n`).join(''),
    handler: async (q) => { await sleep(20 - 10 * q.url[1]); await get('/' + q.headers['x-request-id']); },
  },
};

const { handler, headers = TRACE, ids, raw, http2: event } = cases[process.argv[2]];
const seen = [];
const upstream = http.createServer((q, r) => {
  seen.push(q.url + ' ' + Object.entries(q.headers).filter(([k]) => NAMES.test(k)).map(([k, v]) => `${k}=${v}`).sort().join(' '));
  if (q.url === '/from') r.writeHead(302, { location: `http://localhost:${up}/to` });
  r.end('ok');
});
const service = event ? require('http2').createServer() : http.createServer();
service.on(event ?? 'request', async (q, r) => {
  await handler(q);
  if (event === 'stream') q.respond();
  (event === 'stream' ? q : r).end('ok');
});
function sendHttp2() {
  const session = require('http2').connect(`http://localhost:${here}`);
  return new Promise((resolve) => {
    const stream = session.request({ ':method': 'POST', ...headers }).resume().on('close', resolve);
    setTimeout(() => stream.end('body'), 30);
  });
}
const database = net.createServer((s) => s.on('data', (d) => setTimeout(() => s.write(d), 2)));
const ready = (s) => new Promise((r) => s.listen(0, () => r(s.address().port)));

async function main() {
  [up, here, db] = [await ready(upstream), await ready(service), await ready(database)];
  if (raw) await new Promise((r) => { const s = net.connect(here); s.write(raw, 'latin1'); setTimeout(() => s.destroy() && r(), 300); });
  else if (event) await sendHttp2();
  else for (const n of ids ?? [0]) await send(n ? { 'x-request-id': n } : headers);
  console.log([...new Set(seen)].sort().join('\n'));
  process.exit();
}
main();
