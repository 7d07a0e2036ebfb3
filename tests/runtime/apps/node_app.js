// SPDX-License-Identifier: Apache-2.0
// node node_app.js PORT CLIENT [PLACE]: timers between the calls, two at once, one that the answer does
// not wait for, and a ticker in the background, which is nobody's work.
//   CLIENT  http, limited (an agent of two sockets), odd (other ways to give headers), fetch,
//           fetch-limited (a dispatcher of two connections), https, http2 (both by a gateway of our own)
//   PLACE   where it runs: here, worker (a thread), cluster (two processes)
const fs = require('fs');
const http = require('http');
const https = require('https');
const http2 = require('http2');
const net = require('net');
const cluster = require('cluster');
const { Worker, isMainThread } = require('worker_threads');

const [, , own, how, place] = process.argv;
const [host, port] = process.env.UPSTREAM.split(':');
const decoy = 'GET /decoy HTTP/1.1\r\nHost: decoy\r\ntraceparent: 00-' + (0xdec0).toString(16).padStart(32, '0') +
  '-00f067aa0ba902b7-01\r\n\r\n';
const sleep = (ms) => new Promise((r) => setTimeout(r, ms));
const some = (ms) => sleep(Math.random() * ms);

// --- clients: (path, body or nothing, which) => a promise
const kept = new http.Agent({ keepAlive: true });
const two = new http.Agent({ keepAlive: true, maxSockets: 2 });
const ended = (make) => new Promise((resolve, reject) => make((r) => { r.resume(); r.on('end', resolve); }, reject));

function plain(path, body, which, agent = which === 'a' ? undefined : kept) {
  const options = { host, port, path, method: body ? 'POST' : 'GET', agent };
  if (body) options.headers = { 'Content-Length': Buffer.byteLength(body) };
  return ended((done, failed) => http.request(options, done).on('error', failed).end(body));
}

// Headers as a list, flushed early, with an expectation; a body in pieces.
function odd(path, body, which) {
  const headers = ['Host', `${host}:${port}`, 'X-Odd', '1'];
  const options = { host, port, path, agent: kept };
  if (which === 'c') return ended((done, failed) => http.get({ ...options, headers }, done).on('error', failed));
  if (which === 'd') return ended((done, failed) => {
    const q = http.request({ ...options, method: 'PUT', headers: { Expect: '100-continue' } }, done).on('error', failed);
    q.on('continue', () => q.end('expected'));
  });
  return ended((done, failed) => {
    const q = http.request({ ...options, method: body ? 'POST' : 'GET' }, done).on('error', failed);
    q.flushHeaders();
    setImmediate(() => { q.write(body ?? ''); q.end(); });
  });
}

// What this Node has built in, and no package: its class of dispatchers is that of the global one.
let dispatcher;
async function fetched(path, body, which) {
  const url = `http://${host}:${port}${path}`, init = { dispatcher };
  if (body) Object.assign(init, { method: 'POST', body });
  const r = await (which === 'c' ? fetch(new Request(url, { ...init, redirect: 'error' }), { dispatcher })
    : which === 'd' ? fetch(new URL(url), { ...init, headers: [['X-One', '1'], ['x-two', '2']] })
    : which === 'b' ? fetch(url, { ...init, headers: new Headers({ 'X-Three': '3' }) }) : fetch(url, init));
  await r.text();
}
function fewFetched(...args) {
  void Headers; // loads it
  const key = Object.getOwnPropertySymbols(globalThis).find((s) => /^undici.globalDispatcher/.test(s.description));
  dispatcher ??= new globalThis[key].constructor({ connections: 2 });
  return fetched(...args);
}

// Only this process can tell what arrived encrypted: the gateway passes it on as it came.
function relay(head, body, done) {
  const s = net.connect(port, host, () => s.end(head + 'connection: close\r\n\r\n' + body));
  s.resume().on('close', done).on('error', done);
}
function lines(raw) {
  let text = '';
  for (let i = 0; i < raw.length; i += 2)
    if (!/^(:|connection$|transfer-encoding$)/i.test(raw[i])) text += `${raw[i]}: ${raw[i + 1]}\r\n`;
  return text;
}
function gateway(make, listening) {
  const pem = fs.readFileSync('pem');
  make({ key: pem, cert: pem }, (q, r) => {
    let body = '';
    q.on('data', (d) => { body += d; });
    q.on('end', () => relay(`${q.method} ${q.url} HTTP/1.1\r\n` + lines(q.rawHeaders) +
      (q.headers['content-length'] ? '' : `content-length: ${body.length}\r\n`), body, () => r.end('ok')));
  }).listen(0, '127.0.0.1', function () { listening(this.address().port); });
}
let secure;
const encrypted = new https.Agent({ keepAlive: true, rejectUnauthorized: false, maxSockets: 8 });
function overTls(path, body) {
  const options = { port: secure, path, agent: encrypted, method: body ? 'POST' : 'GET' };
  if (body) options.headers = { 'Content-Length': Buffer.byteLength(body) };
  return ended((done, failed) => https.request(options, done).on('error', failed).end(body));
}
let session;
function overHttp2(path, body) {
  session ??= http2.connect(`https://localhost:${secure}`, { rejectUnauthorized: false });
  const headers = { ':path': path, ':method': body ? 'POST' : 'GET' };
  if (body) headers['content-length'] = Buffer.byteLength(body);
  return new Promise((resolve, reject) => {
    session.request(headers).on('error', reject).on('close', resolve).resume().end(body);
  });
}

const call = { http: plain, limited: (p, b, w) => plain(p, b, w, two), odd, fetch: fetched, 'fetch-limited': fewFetched,
  https: overTls, http2: overHttp2 }[how];

// --- the service
async function calls(i) {
  await some(15);
  await call(`/?id=${i}&leg=a`, null, 'a');
  await call(`/?id=${i}&leg=b`, decoy.repeat(20) + i, 'b');
  await some(15);
  await Promise.all(['c', 'd'].map((leg) => call(`/?id=${i}&leg=${leg}`, null, leg)));
}

async function later(i) {
  await sleep(20 + Math.random() * 200);
  await call(`/?id=${i}&leg=bg`, null, 'bg');
}

function serve() {
  http.createServer((q, r) => {
    const i = q.url.split('=')[1];
    q.resume();
    q.on('end', async () => {
      if (i !== '0') await calls(i).catch((e) => { r.statusCode = 500; console.error(e); });
      r.end(i);
      if (i !== '0') later(i).catch(console.error);
    });
  }).listen(+own, '127.0.0.1');
  setInterval(() => call('/?id=none&leg=t', null, 't').catch(() => {}), 10);
}

function start() {
  if (how !== 'https' && how !== 'http2') serve();
  else gateway(how === 'https' ? https.createServer : http2.createSecureServer, (p) => { secure = p; serve(); });
}

if (place === 'worker' && isMainThread) new Worker(__filename, { argv: process.argv.slice(2) });
else if (place === 'cluster' && cluster.isPrimary) { cluster.fork(); cluster.fork(); }
else start();
