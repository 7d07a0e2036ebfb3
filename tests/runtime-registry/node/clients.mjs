/* SPDX-License-Identifier: Apache-2.0 */

/*
 * clients.mjs SERVER CLIENT: npm's servers in front, npm's clients behind, two connections for each
 * of those that pool: calls wait for each other's answers. The last call is made after the answer.
 */

import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import axios from 'axios';
import express from 'express';
import fastify from 'fastify';
import got from 'got';
import nodeFetch from 'node-fetch';
import * as undici5 from 'undici5';
import * as undici6 from 'undici6';
import * as undici7 from 'undici';
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

const clients = {
    axios: () => {
        const a = axios.create({ baseURL: origin, proxy: false, httpAgent: agent });
        return async (target, data) => check((await (data ? a.post(target, data) : a.get(target))).status);
    },
    got: () => async (target, data) => check((await got(origin + target,
        { agent: { http: agent }, retry: { limit: 0 }, ...(data ? { method: 'POST', body: data } : {}) })).statusCode),
    'node-fetch': () => fetching(nodeFetch, { agent }),
    'undici5-pool': () => pooled(new undici5.Pool(origin, { connections: 2 })),
    'undici6-pool': () => pooled(new undici6.Pool(origin, { connections: 2 })),
    'undici7-pool': () => pooled(new undici7.Pool(origin, { connections: 2 })),
    'undici7-pipeline': () => pooled(new undici7.Pool(origin, { connections: 2, pipelining: 10 })),
    'undici7-fetch': () => fetching(undici7.fetch),
    'fetch-undici6': () => { undici6.setGlobalDispatcher(new undici6.Agent({ connections: 2 })); return fetching(fetch); },
    'fetch-undici7': () => { undici7.setGlobalDispatcher(new undici7.Agent({ connections: 2 })); return fetching(fetch); },
    'fetch-dispatcher': () => fetching(fetch, { dispatcher: new undici6.Agent({ connections: 2 }) }),
};

const call = clients[client]();

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
    express: () => {
        const app = express();
        app.use(express.raw({ type: () => true }));
        app.use((request, response) => handle(String(request.query.id ?? ''),
            (status, text) => response.status(status).type('text/plain').send(text)));
        app.listen(port, '127.0.0.1');
    },
    fastify: () => {
        const app = fastify();
        app.removeAllContentTypeParsers();
        app.addContentTypeParser('*', { parseAs: 'string' }, (request, text, done) => done(null, text));
        app.all('/', (request, reply) => handle(String(request.query.id ?? ''),
            (status, text) => reply.code(status).type('text/plain').send(text)));
        app.listen({ port, host: '127.0.0.1' });
    },
};

servers[server]();
tick((id, leg) => call(path(id, leg)));
