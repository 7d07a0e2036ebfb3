// SPDX-License-Identifier: Apache-2.0
// node node_app.js PORT http|fetch: with timers between the calls and a ticker in the background.
const http = require('http');
const [host, port] = process.env.UPSTREAM.split(':');
const how = process.argv[3];
const agent = new http.Agent({ keepAlive: true });
const decoy = 'GET /decoy HTTP/1.1\r\nHost: decoy\r\ntraceparent: 00-' + (0xdec0).toString(16).padStart(32, '0') +
  '-00f067aa0ba902b7-01\r\n\r\n';
const sleep = (ms) => new Promise((r) => setTimeout(r, ms));

function request(path, body, keep) {
  return new Promise((resolve, reject) => {
    const options = { host, port, path, method: body ? 'POST' : 'GET', agent: keep ? agent : undefined };
    if (body) options.headers = { 'Content-Length': Buffer.byteLength(body) };
    const q = http.request(options, (r) => { r.resume(); r.on('end', resolve); });
    q.on('error', reject);
    q.end(body);
  });
}

async function get(path, body) {
  const r = await fetch(`http://${host}:${port}${path}`, body ? { method: 'POST', body } : {});
  await r.text();
}

async function calls(i) {
  const f = how === 'fetch' ? get : request;
  await f(`/?id=${i}&leg=a`);
  await f(`/?id=${i}&leg=b`, decoy.repeat(20) + i);
  await sleep(2);
  await Promise.all([f(`/?id=${i}&leg=c`, null, true), f(`/?id=${i}&leg=d`, null, true)]);
}

http.createServer((q, r) => {
  const i = q.url.split('=')[1];
  q.resume();
  q.on('end', async () => {
    if (i !== '0') await calls(i).catch((e) => { r.statusCode = 500; console.error(e); });
    r.end(i);
  });
}).listen(+process.argv[2], '127.0.0.1');
setInterval(() => (how === 'fetch' ? get : request)('/?id=none&leg=t').catch(() => {}), 10);
