/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conversation: three exchanges that one program serves on one inbound connection
 * (the last two pipelined), and what it asks of others for them on one pooled
 * outbound connection: GET, POST with a body, a chunked POST in several calls. The
 * far ends are only used raw. conversation_right() says whether what reached the
 * wire is a prefix of the right stream.
 */
#ifndef TB_TESTS_FAULT_CONVERSATION_H
#define TB_TESTS_FAULT_CONVERSATION_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "fault/program.h"

/* In the order in which the library writes them. */
#define LINES(d)                                                                                   \
    "x-request-id: r" d "\r\n"                                                                     \
    "traceparent: 00-" d d d d d d d d d d d d d d d d "-" d d d d d d d d "-01\r\n"
static const char *const lines[] = {LINES("a1"), LINES("b2"), LINES("c3"), LINES("d4")};

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
#define ANSWER (sizeof(answer) - 1)

/* One call of the program on the outbound connection. */
struct step {
    const char *bytes;
    int exchange; /* whose work; -1: no head */
    bool ends;    /* a request: the answer is awaited */
};
static const struct step asked[] = {
    {"GET /0 HTTP/1.1\r\nHost: a\r\n\r\n", 0, true},
    {"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\nabcdefg", 0, true},
    {"POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 0, false},
    {"5\r\nhello\r\n", -1, false},
    {"6;x=y\r\nworld!\r\n", -1, false},
    {"0\r\n\r\n", -1, true},
    {"GET /3 HTTP/1.1\r\nHost: a\r\n\r\n", 1, true},
    {"GET /4 HTTP/1.1\r\nHost: a\r\n\r\n", 2, true},
};
#define STEPS (sizeof(asked) / sizeof(asked[0]))

struct conversation {
    struct program *g;
    int in[2], out[2];
    char inbound[1024]; /* read of the inbound connection */
    size_t have;
    char wire[4096], told[1024]; /* what the far ends received: of requests, of answers */
    size_t wire_n, told_n;
    unsigned heads; /* bits of those that lines were added to */
    char wrong[300];
};

/* --- connections -------------------------------------------------------------------------------
 */

/* [0] is the program's end, which it accepted or connected; [1] is only used raw. */
static void tcp_pair(int fd[2], bool accepts)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int l = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    need(bind(l, (struct sockaddr *)&a, len) == 0 && listen(l, 1) == 0 &&
             getsockname(l, (struct sockaddr *)&a, &len) == 0,
         "listen");
    int c =
        accepts ? (int)raw3(SYS_socket, AF_INET, SOCK_STREAM, 0) : socket(AF_INET, SOCK_STREAM, 0);
    long r = accepts ? raw3(SYS_connect, c, (long)&a, sizeof(a))
                     : connect(c, (struct sockaddr *)&a, sizeof(a));
    int s = accepts ? accept(l, NULL, NULL) : (int)raw3(SYS_accept, l, 0, 0);
    need(r == 0 && s >= 0, "connect");
    close(l);
    fd[0] = accepts ? s : c;
    fd[1] = accepts ? c : s;
    raw5(SYS_setsockopt, fd[0], IPPROTO_TCP, TCP_NODELAY, (long)&yes, sizeof(yes));
    raw5(SYS_setsockopt, fd[1], IPPROTO_TCP, TCP_NODELAY, (long)&yes, sizeof(yes));
}

static void connection(int fd[2], bool tcp, bool accepts)
{
    if (tcp)
        tcp_pair(fd, accepts);
    else
        pair(fd);
}

/* The far end reads to the end of the stream, and goes first and with a reset, so that no port
 * waits for its time. */
static size_t part(int fd[2], char *p, size_t n)
{
    struct linger now = {1, 0};
    size_t got = 0;
    raw2(SYS_shutdown, fd[0], SHUT_WR);
    for (long r; got < n && (r = raw_read(fd[1], p + got, n - got)) > 0;)
        got += (size_t)r;
    raw5(SYS_setsockopt, fd[1], SOL_SOCKET, SO_LINGER, (long)&now, sizeof(now));
    raw_close(fd[1]);
    close(fd[0]);
    return got;
}

/* --- the far ends ------------------------------------------------------------------------------
 */

static void drain(struct conversation *c)
{
    c->wire_n += (size_t)raw_drain(c->out[1], c->wire + c->wire_n, sizeof(c->wire) - c->wire_n);
}

static size_t request(char *to, int exchange)
{
    return (size_t)sprintf(to, "GET /in%d HTTP/1.1\r\nHost: me\r\n%s\r\n", exchange,
                           lines[exchange]);
}

static void ask(struct conversation *c, int from, int to)
{
    char buf[1024];
    size_t n = 0;
    for (int i = from; i <= to; i++)
        n += request(buf + n, i);
    need(raw_write(c->in[1], buf, n) == (long)n, "ask");
}

/* --- the program -------------------------------------------------------------------------------
 */

static bool bad(struct conversation *c, const char *what)
{
    if (!c->wrong[0])
        snprintf(c->wrong, sizeof(c->wrong), "%s", what);
    return false;
}

/* The next request of the inbound connection, in full, byte by byte the one that was sent. */
static bool take(struct conversation *c, int exchange)
{
    char want[512];
    size_t n = request(want, exchange);
    while (c->have < n) {
        size_t r = program_read(c->g, c->in[0], c->inbound + c->have, sizeof(c->inbound) - c->have);
        if (r == 0)
            return false;
        c->have += r;
    }
    if (memcmp(c->inbound, want, n) != 0)
        return bad(c, "the program read another request");
    c->have -= n;
    memmove(c->inbound, c->inbound + n, c->have);
    return true;
}

static bool awaited(struct conversation *c)
{
    char got[64];
    size_t have = 0;
    drain(c);
    need(raw_write(c->out[1], answer, ANSWER) == ANSWER, "answer");
    while (have < ANSWER) {
        size_t r = program_read(c->g, c->out[0], got + have, sizeof(got) - have);
        if (r == 0)
            return false;
        have += r;
    }
    return memcmp(got, answer, ANSWER) == 0 || bad(c, "the program read another answer");
}

static bool work(struct conversation *c, size_t from, size_t to)
{
    for (size_t i = from; i <= to; i++) {
        const struct step *s = &asked[i];
        if (!program_send(c->g, c->out[0], s->bytes, strlen(s->bytes), s->exchange < 0) ||
            (s->ends && !awaited(c)))
            return false;
    }
    return program_send(c->g, c->in[0], answer, ANSWER, false);
}

static bool talk(struct conversation *c)
{
    ask(c, 0, 0);
    if (!take(c, 0) || !work(c, 0, 5))
        return false;
    ask(c, 1, 2);
    return take(c, 1) && work(c, 6, 6) && take(c, 2) && work(c, 7, 7);
}

/* --- what is right -----------------------------------------------------------------------------
 */

struct cursor {
    const char *p;
    size_t n;
    bool all;
};

/* @return false: other bytes, or fewer where all must be there */
static bool follows(struct cursor *k, const char *text, size_t n)
{
    size_t m = n < k->n ? n : k->n;
    if (memcmp(k->p, text, m) != 0 || (m < n && k->all))
        return false;
    k->p += m;
    k->n -= m;
    return true;
}

/* Perhaps the lines; they begin as no empty line does. */
static bool added(struct cursor *k, const char *text)
{
    return k->n > 0 && *k->p == *text && follows(k, text, strlen(text));
}

static bool right_requests(struct conversation *c, bool all)
{
    struct cursor k = {c->wire, c->wire_n, all};
    for (size_t i = 0; i < STEPS; i++) {
        const char *b = asked[i].bytes;
        size_t n = strlen(b),
               head = asked[i].exchange < 0 ? 0 : (size_t)(strstr(b, "\r\n\r\n") + 2 - b);
        if (!follows(&k, b, head))
            return false;
        if (head && added(&k, lines[asked[i].exchange]))
            c->heads |= 1u << i;
        if (!follows(&k, b + head, n - head))
            return false;
    }
    return k.n == 0;
}

static bool right_answers(struct conversation *c, bool all)
{
    struct cursor k = {c->told, c->told_n, all};
    return follows(&k, answer, ANSWER) && follows(&k, answer, ANSWER) &&
           follows(&k, answer, ANSWER) && k.n == 0;
}

/* @return why it is wrong, or NULL */
static const char *conversation_judge(struct conversation *c)
{
    bool all = !c->g->gave_up;
    if (c->g->wrong[0])
        bad(c, c->g->wrong);
    else if (!right_requests(c, all))
        bad(c, "the requests on the wire are not the right ones");
    else if (!right_answers(c, all))
        bad(c, "the answers on the wire are not the right ones");
    return c->wrong[0] ? c->wrong : NULL;
}

static void set_waits(int fd, bool waits)
{
    if (!waits)
        fcntl(fd, F_SETFL, O_NONBLOCK);
}

/* One conversation. The inbound reads may block (that is the rule `thread`), the outbound
 * connection as the program likes. @return why it is wrong, or NULL */
static const char *conversation(struct conversation *c, struct program *g, bool tcp)
{
    memset(c, 0, sizeof(*c));
    c->g = g;
    connection(c->in, tcp, true);
    connection(c->out, tcp, false);
    set_waits(c->out[0], g->waits);
    if (g->shim)
        g->shim->on = 1;
    talk(c);
    if (g->shim)
        g->shim->on = 0;
    c->told_n += part(c->in, c->told + c->told_n, sizeof(c->told) - c->told_n);
    c->wire_n += part(c->out, c->wire + c->wire_n, sizeof(c->wire) - c->wire_n);
    return conversation_judge(c);
}

#endif
