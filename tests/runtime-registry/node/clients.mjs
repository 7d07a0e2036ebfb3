/* SPDX-License-Identifier: Apache-2.0 */

/*
 * clients.mjs SERVER CLIENT: npm's servers in front, npm's clients behind, two connections for each
 * of those that pool: calls wait for each other's answers. The last call is made after the answer.
 */

import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { body, origin, path, port, tick } from './common.mjs';

const [, , server, client] = process.argv;
const agent = new http.Agent({ keepAlive: true, maxSockets: 2 });
const some = (ms) => sleep(Math.random() * ms);

function check(status) {
    if (status !== 200) throw new Error(`upstream answered ${status}`);
}

/* Each: (target, body or nothing) => a promise. */
function pooled(dispatcher) {
    return async (target, data) => {
        const answer = await dispatcher.request({ path: target, method: data ? 'POST' : 'GET', body: data });
        await answer.body.text();
        check(answer.statusCode);
    };
}

function fetching(fetch, more = {}) {
    return async (target, data) => {
        const answer = await fetch(origin + target, data ? { method: 'POST', body: data, ...more } : more);
        await answer.text();
        check(answer.status);
    };
}

/* Each loads what it needs: not every package runs on every release of Node. */
const load = async (name) => { const m = await import(name); return m.default ?? m; };
const few = { connections: 2 };

const clients = {
    axios: async () => {
        const a = (await load('axios')).create({ baseURL: origin, proxy: false, httpAgent: agent });
        return async (target, data) => check((await (data ? a.post(target, data) : a.get(target))).status);
    },
    got: async () => {
        const got = await load('got');
        const options = { agent: { http: agent }, retry: { limit: 0 } };
        return async (target, data) => check((await got(origin + target,
            data ? { method: 'POST', body: data, ...options } : options)).statusCode);
    },
    'node-fetch': async () => fetching(await load('node-fetch'), { agent }),
    'undici5-pool': async () => pooled(new (await load('undici5')).Pool(origin, few)),
    'undici6-pool': async () => pooled(new (await load('undici6')).Pool(origin, few)),
    'undici7-pool': async () => pooled(new (await load('undici')).Pool(origin, few)),
    'undici7-pipeline': async () => pooled(new (await load('undici')).Pool(origin, { ...few, pipelining: 10 })),
    'undici7-fetch': async () => fetching((await load('undici')).fetch),
    'fetch-undici5': () => builtIn('undici5'),
    'fetch-undici6': () => builtIn('undici6'),
    'fetch-undici7': () => builtIn('undici'),
    'fetch-dispatcher': async () => fetching(fetch, { dispatcher: new (await load('undici6')).Agent(few) }),
};

/* Node's own fetch with a package's dispatcher for all. */
async function builtIn(name) {
    const { Agent, setGlobalDispatcher } = await load(name);
    setGlobalDispatcher(new Agent(few));
    return fetching(fetch);
}

const call = await clients[client]();

async function work(id) {
    await some(15);
    await call(path(id, 'a'));
    await call(path(id, 'b'), body(id));
    await some(15);
    await Promise.all(['p1', 'p2'].map((leg) => call(path(id, leg))));
}

/* Where nobody waits for it: when other requests are served, on this connection too. */
async function later(id) {
    await sleep(20 + Math.random() * 200);
    await call(path(id, 'bg'));
}

async function handle(id, answer) {
    let status = 200;
    try {
        if (id !== '0') await work(id); // 0 only asks whether we are there
    } catch (failure) {
        console.error(failure);
        status = 502;
    }
    answer(status, id);
    if (id !== '0') later(id).catch(console.error);
}

const servers = {
    http: () => http.createServer((request, response) => {
        const id = new URL(request.url, origin).searchParams.get('id') ?? '';
        request.resume().on('end', () => handle(id, (status, text) => {
            response.statusCode = status;
            response.end(text);
        }));
    }).listen(port, '127.0.0.1'),
    express: async () => {
        const express = await load('express');
        const app = express();
        app.use(express.raw({ type: () => true }));
        app.use((request, response) => handle(String(request.query.id ?? ''),
            (status, text) => response.status(status).type('text/plain').send(text)));
        app.listen(port, '127.0.0.1');
    },
    fastify: async () => {
        const fastify = await load('fastify');
        const app = fastify();
        app.removeAllContentTypeParsers();
        app.addContentTypeParser('*', { parseAs: 'string' }, (request, text, done) => done(null, text));
        app.all('/', (request, reply) => handle(String(request.query.id ?? ''),
            (status, text) => reply.code(status).type('text/plain').send(text)));
        app.listen({ port, host: '127.0.0.1' });
    },
};

await servers[server]();
tick((id, leg) => call(path(id, leg)));
