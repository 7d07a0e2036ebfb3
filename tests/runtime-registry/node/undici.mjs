/* SPDX-License-Identifier: Apache-2.0 */

/*
 * node:http in front, npm's undici behind: a pool of four connections and a client that pipelines.
 * Both queue: a request is written inside the callback of a stranger's response, which is where
 * bridges that ask "who runs now" go wrong.
 */

import http from 'node:http';
import { Agent, Client, Pool, fetch } from 'undici';
import { body, origin, path, pause, port, tick } from './common.mjs';

const pool = new Pool(origin, { connections: 4 });
const pipeline = new Client(origin, { pipelining: 10 });
const narrow = new Agent({ connections: 2 });

async function call(dispatcher, id, leg, more = {}) {
    const answer = await dispatcher.request({ path: path(id, leg), method: 'GET', ...more });
    await answer.body.text();
    if (answer.statusCode !== 200) throw new Error(`upstream answered ${answer.statusCode}`);
}

async function fetched(id, leg) {
    const answer = await fetch(origin + path(id, leg), { dispatcher: narrow });
    await answer.text();
    if (!answer.ok) throw new Error(`upstream answered ${answer.status}`);
}

async function fresh(id, leg) {
    const client = new Client(origin);
    await call(client, id, leg);
    await client.close();
}

async function work(id) {
    await fresh(id, 'new');
    await pause(id);
    await call(pool, id, 'b', { method: 'POST', body: body(id) });
    await Promise.all([
        call(pool, id, 'pool1'),
        call(pool, id, 'pool2'),
        call(pipeline, id, 'pipe'),
        fetched(id, 'fetch'),
    ]);
}

async function serve(request, response) {
    const id = new URL(request.url, origin).searchParams.get('id') ?? '';
    for await (const chunk of request) void chunk;
    try {
        if (id !== '0') await work(id); // 0 only asks whether we are there
    } catch (failure) {
        console.error(failure);
        response.statusCode = 502;
    }
    response.end(id);
}

http.createServer(serve).listen(port, '127.0.0.1');
tick((id, leg) => call(pool, id, leg));
