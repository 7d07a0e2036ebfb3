/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What runs inside Node, before the program: node.c puts it into NODE_OPTIONS as
 * --import data:... . It remembers each inbound request's header fields in an
 * AsyncLocalStorage and, where the program makes a request on its behalf, asks
 * the library which lines that request is to be given. It knows no header, no
 * rule and no option itself: all of those are the library's (aside.c).
 *
 * The library is asked by fs.readvSync() on a number that is no file: libuv makes
 * a readv() of it, which the library answers. Where it does not, the call throws
 * (EBADF), and nothing is done here.
 *
 * Whose work it is, is asked where a request is made, never where its bytes leave:
 * pools and agents write in the callbacks of strangers.
 *
 * The build strips comments and indentation only: comments stand on lines of
 * their own, and no string spans lines.
 */
import { createRequire } from 'node:module';
/* Children are not to inherit it: those with the library get it from there, others may be of a
 * version that refuses it. */
try {
    const mine = '--import ' + import.meta.url;
    const options = process.env.NODE_OPTIONS;
    if (options === mine) delete process.env.NODE_OPTIONS;
    else if (options?.startsWith(mine + ' '))
        process.env.NODE_OPTIONS = options.slice(mine.length + 1);
    if (!globalThis[Symbol.for('tracebaton')]) bridge(createRequire('file:///'));
} catch {}
function bridge(require) {
    const fs = require('fs');
    const net = require('net');
    const { AsyncLocalStorage, AsyncResource } = require('async_hooks');
    const { apply, getPrototypeOf } = Reflect;
    const { readvSync } = fs;
    /* --- the library: struct call of node.c, then both heads; the answer's lines */
    const fd = 0x7462746e;
    const question = Buffer.allocUnsafeSlow(65536);
    const answer = Buffer.allocUnsafeSlow(24576);
    const buffers = [question, answer];
    const word = new Uint32Array(question.buffer, 16, 5);
    question.write('tracebaton-node\0', 'latin1');
    function call(operation) {
        word[0] = operation;
        try {
            return readvSync(fd, buffers);
        } catch {
            return 0;
        }
    }
    if (call(1) !== 1) return;
    Object.defineProperty(globalThis, Symbol.for('tracebaton'), { value: true });
    /* --- whose work it is: { raw: names and values in turn, text: the same as a head } */
    const storage = new AsyncLocalStorage();
    const current = () => storage.getStore();
    /* A lenient parser lets through what would make two lines of one. */
    function inbound(raw) {
        let text = '';
        for (let i = 0; i < raw.length; i += 2)
            if (raw[i][0] !== ':') text += `${raw[i]}: ${raw[i + 1]}\r\n`;
        return /[\0\r\n]/.test(raw.join('')) ? '' : `GET / HTTP/1.1\r\n${text}\r\n`;
    }
    /* The lines for a request head (text up to and with its empty line), '' for none. `guess`: the
     * request may yet go elsewhere. */
    function lines(owner, head, secure, guess) {
        const text = (owner.text ??= inbound(owner.raw));
        const all = text + head;
        if (!text || all.length > 65000 || /[^\0-\xff]/.test(all)) return '';
        word[1] = text.length;
        word[2] = head.length;
        word[3] = secure ? 443 : 80;
        word[4] = guess ? 1 : 0;
        question.latin1Write(all, 36);
        const n = call(2);
        return n > 0 ? answer.latin1Slice(0, n) : '';
    }
    function* pairs(text) {
        for (const line of text.split('\r\n'))
            if (line) yield [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)];
    }
    /* A head for the library, where there is no text of one yet. */
    function head(method, path, host, fields) {
        let text = `${method} ${path} HTTP/1.1\r\n`;
        for (const [name, value] of fields) {
            if (name[0] === ':' || typeof name === 'symbol') continue;
            if (/^host$/i.test(name)) host = '';
            for (const one of Array.isArray(value) ? value : [value])
                text += `${name}: ${one}\r\n`;
        }
        return text + (host ? `host: ${host}\r\n\r\n` : '\r\n');
    }
    function* couples(list) {
        for (let i = 0; i < list.length; i += 2) yield [list[i], list[i + 1]];
    }
    /* What goes wrong here is no business of the program's. */
    function attempt(f, ...args) {
        try {
            return f(...args);
        } catch {}
    }
    /* --- what serves many requests and may be begun within one: connections (of databases, whose
     * callbacks come out of them) and intervals. What they call is nobody's work. */
    function unowned(object, key) {
        const original = object[key];
        if (typeof original !== 'function') return;
        object[key] = function (...args) {
            if (current() === undefined) return apply(original, this, args);
            return storage.run(undefined, apply, original, this, args);
        };
        Object.defineProperty(object[key], 'name', { value: original.name });
    }
    unowned(net.Socket.prototype, 'connect');
    unowned(require('tls').TLSSocket.prototype, '_wrapHandle');
    unowned(require('timers'), 'setInterval');
    unowned(globalThis, 'setInterval');
    /* --- inbound: http, https and http2 servers are net.Servers */
    function fields(name, first, raw) {
        if (name === 'stream') return raw;
        if (name === 'request' || name === 'upgrade' || name === 'connect' ||
            name === 'checkContinue' || name === 'checkExpectation') return first?.rawHeaders;
    }
    /* What a request with a body emits later comes out of the connection, which serves others. */
    function bind(message, from) {
        const { emit } = message;
        message.emit = function (...args) {
            if (from === current()) return apply(emit, this, args);
            return storage.run(from, apply, emit, this, args);
        };
    }
    const server = net.Server.prototype;
    server.emit = {
        __proto__: getPrototypeOf(server),
        emit(name, first, second, third, fourth) {
            const raw = fields(name, first, fourth);
            if (!Array.isArray(raw)) return super.emit(...arguments);
            const from = { raw, text: undefined };
            if (first.method !== 'GET' || first.httpVersionMajor !== 1) bind(first, from);
            return storage.run(from, (...args) => super.emit(...args), ...arguments);
        },
    }.emit;
    /* --- outbound: http and https. _storeHeader() runs where the program makes or begins the
     * request, before the agent queues it. With an expectation it sends the head, too. */
    const http = require('http');
    const client = http.ClientRequest.prototype;
    function complete(request, from) {
        const { _header: text, outputData: queue } = request;
        const sent = request._headerSent;
        if (sent && (queue.length !== 1 || queue[0].data !== text)) return;
        const more = lines(from, text, request.protocol === 'https:');
        if (!more) return;
        request._header = text.slice(0, -2) + more + '\r\n';
        if (sent) queue[0].data = request._header;
    }
    client._storeHeader = {
        __proto__: getPrototypeOf(client),
        _storeHeader() {
            const made = super._storeHeader(...arguments);
            const from = current();
            if (from !== undefined) attempt(complete, this, from);
            return made;
        },
    }._storeHeader;
    /* --- undici: the event of a request that is made comes where a pool hands it to a connection.
     * A handler that is an AsyncResource was made by the caller; of others nothing is known. */
    function announced({ request }) {
        const key = Object.getOwnPropertySymbols(request).find((s) => s.description === 'handler');
        const handler = request[key];
        const from = handler instanceof AsyncResource && handler.runInAsyncScope(current);
        if (!from) return;
        const { headers, method, path } = request;
        const host = request.host || new URL(request.origin).host;
        const text = typeof headers === 'string';
        const own = head(method, path, host, text ? [] : couples(headers)).slice(0, -2);
        const secure = String(request.origin).startsWith('https:');
        for (const [name, value] of pairs(lines(from, own + (text ? headers : '') + '\r\n', secure)))
            request.addHeader(name, value);
    }
    require('diagnostics_channel').subscribe('undici:request:create', (message) =>
        attempt(announced, message));
    /* --- the built-in fetch: each of its requests (a redirect makes another) is handed to a
     * dispatcher, as late as that; so it is given one that knows whose they are. */
    const plain = (o) => o == null || [Object.prototype, null].includes(getPrototypeOf(o));
    function dispatcher(init) {
        if (init?.dispatcher) return init.dispatcher;
        void globalThis.Headers;
        const [old, recent] = [1, 2].map((n) => globalThis[Symbol.for('undici.globalDispatcher.' + n)]);
        const { undici } = process.versions;
        return undici ? (parseInt(undici) > 7 ? recent : old) : recent ? undefined : old;
    }
    function steered(from, options) {
        const { headers, method, origin, path } = options;
        const list = Array.isArray(headers);
        if (!list && !plain(headers)) return options;
        const { host, protocol } = new URL(origin);
        const own = list ? couples(headers) : Object.entries(headers ?? {});
        const more = lines(from, head(method, path, host, own), protocol === 'https:');
        if (!more) return options;
        const all = list ? [...headers, ...[...pairs(more)].flat()]
                         : { ...headers, ...Object.fromEntries(pairs(more)) };
        return { ...options, headers: all };
    }
    function steer(from, real) {
        return new Proxy(real, {
            get(target, key) {
                if (key !== 'dispatch') return Reflect.get(target, key, target);
                return (options, ...rest) =>
                    target.dispatch(attempt(steered, from, options) ?? options, ...rest);
            },
        });
    }
    /* Where the dispatcher is inside a Request there is no reaching it: its own headers are added
     * to. A redirect takes them along, so only what may go anywhere is. */
    const keeps = parseInt(process.versions.undici) > 5;
    function prepared(from, input, init) {
        if (!plain(init)) return;
        if (typeof input === 'string' || input instanceof URL) {
            const real = dispatcher(init);
            if (typeof real?.dispatch === 'function')
                return [input, { ...init, dispatcher: steer(from, real) }];
        } else if (input instanceof Request) {
            const request = new Request(input, init ?? undefined);
            const { host, pathname, protocol, search } = new URL(request.url);
            const text = head(request.method, pathname + search, host, request.headers);
            const more = lines(from, text, protocol === 'https:', request.redirect === 'follow');
            for (const [name, value] of pairs(more)) request.headers.append(name, value);
            return keeps || !init?.dispatcher ? [request] : [request, { dispatcher: init.dispatcher }];
        }
    }
    const { fetch } = globalThis;
    if (typeof fetch === 'function') {
        const wrapped = {
            fetch(input, init = undefined) {
                const from = current();
                return apply(fetch, this, from && attempt(prepared, from, input, init) || arguments);
            },
        };
        globalThis.fetch = wrapped.fetch;
    }
    /* --- http2. A session whose connection somebody else made belongs to a library that queues
     * (undici, gRPC, http2-wrapper): who calls request() there is nobody in particular. */
    const http2 = require('http2');
    const { connect } = http2;
    const direct = new WeakMap();
    let patched;
    function session(prototype) {
        const { request } = prototype;
        patched = prototype;
        prototype.request = function (headers, ...rest) {
            const from = direct.has(this) && current();
            const more = from && attempt(stream, from, direct.get(this), headers);
            return apply(request, this, more ? [more, ...rest] : arguments);
        };
    }
    function stream(from, authority, headers) {
        if (!plain(headers)) return;
        const { ':method': method = 'GET', ':path': path = '/' } = headers ?? {};
        const list = Object.entries(headers ?? {});
        if (/^application\/grpc/i.test(headers?.['content-type']) || method === 'CONNECT') return;
        const host = headers?.[':authority'] ?? authority.host;
        const more = lines(from, head(method, path, host, list), authority.protocol === 'https:');
        return more && { ...headers, ...Object.fromEntries(pairs(more)) };
    }
    http2.connect = function (authority, options, ...rest) {
        const made = apply(connect, this, arguments);
        attempt(() => {
            if (typeof options === 'object' && options?.createConnection) return;
            if (!patched) session(getPrototypeOf(made));
            direct.set(made, new URL(authority));
        });
        return made;
    };
}
//# sourceURL=tracebaton
