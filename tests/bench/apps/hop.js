// SPDX-License-Identifier: Apache-2.0
// node hop.js PORT: one hop with an agent that keeps connections.
const http = require('http');
const [host, port] = process.env.UPSTREAM.split(':');
const agent = new http.Agent({ keepAlive: true });
http.createServer((q, r) => {
  http.get({ host, port, path: '/x', agent }, (answer) => {
    let body = '';
    answer.on('data', (d) => { body += d; });
    answer.on('end', () => r.end(body));
  }).on('error', () => { r.statusCode = 502; r.end(); });
}).listen(+process.argv[2], '127.0.0.1');
