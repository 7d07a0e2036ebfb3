/* SPDX-License-Identifier: Apache-2.0 */

/*
 * express in front, axios behind: once with a new connection, once with an agent of four kept
 * connections, whose queue hands a socket on inside the callback of a stranger's response.
 */

import http from 'node:http';
import axios from 'axios';
import express from 'express';
import { body, origin, path, pause, port, tick } from './common.mjs';

const patience = 20_000;
const fresh = axios.create({ baseURL: origin, timeout: patience, proxy: false,
    httpAgent: new http.Agent({ keepAlive: false }) });
const kept = axios.create({ baseURL: origin, timeout: patience, proxy: false,
    httpAgent: new http.Agent({ keepAlive: true, maxSockets: 4 }) });

async function work(id) {
    await fresh.get(path(id, 'new'));
    await pause(id);
    await kept.post(path(id, 'b'), body(id), { headers: { 'content-type': 'text/plain' } });
    await Promise.all(['kept1', 'kept2'].map((leg) => kept.get(path(id, leg))));
    await new Promise(setImmediate);
    await kept.get(path(id, 'immediate'));
}

const app = express();
app.use(express.raw({ type: () => true }));
app.use(async (request, response) => {
    const id = String(request.query.id ?? '');
    try {
        if (id !== '0') await work(id); // 0 only asks whether we are there
    } catch (failure) {
        console.error(failure);
        response.status(502);
    }
    response.type('text/plain').send(id);
});

app.listen(port, '127.0.0.1');
tick((id, leg) => kept.get(path(id, leg)));
