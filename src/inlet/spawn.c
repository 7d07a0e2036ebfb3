/* SPDX-License-Identifier: Apache-2.0 */
/* spawn: see spawn.h. */
#include "inlet/spawn.h"

/* A bounded writer: what does not fit makes the whole thing nothing. */
struct out {
    char *p;
    size_t n, cap;
};

static void put(struct out *o, const char *p, size_t n)
{
    if (o->n + n <= o->cap)
        memcpy(o->p + o->n, p, n);
    o->n += n;
}

static void put_escaped(struct out *o, struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '%')
            put(o, "%25", 3);
        else if (s.p[i] == '|')
            put(o, "%7C", 3);
        else
            put(o, s.p + i, 1);
}

static struct span line_of(const struct context *c, unsigned i)
{
    return (struct span){c->text + c->line[i].off, c->line[i].len - 2}; /* without CRLF */
}

size_t spawn_write(const struct context *c, char *dst, size_t cap)
{
    struct out o = {dst, 0, cap};
    if (c->sum != context_sum(c))
        return 0;
    for (unsigned i = 0; i < c->n; i++) {
        if (i > 0)
            put(&o, "|", 1);
        put_escaped(&o, line_of(c, i));
    }
    return o.n <= cap ? o.n : 0;
}

static bool is_named(const struct context *c, unsigned i, struct span name)
{
    return c->line[i].name_len == name.n &&
           span_ieq((struct span){c->text + c->line[i].off, name.n}, name);
}

size_t spawn_value(const struct context *c, struct span name, char *dst, size_t cap)
{
    struct out o = {dst, 0, cap};
    if (c->sum != context_sum(c))
        return 0;
    for (unsigned i = 0; i < c->n; i++)
        if (is_named(c, i, name)) {
            struct span line = line_of(c, i);
            size_t skip = name.n + 2;
            if (o.n > 0)
                put(&o, ",", 1);
            put(&o, line.p + skip, line.n - skip);
        }
    return o.n <= cap ? o.n : 0;
}

/* --- and back ------------------------------------------------------------------------------- */

static void feed(struct spawn_reader *r, const char *p, size_t n)
{
    size_t used;
    r->ok =
        r->ok && (n == 0 || http1_scan(&r->scan, p, n, &used, &head_sink, r->head) == HTTP1_MORE);
}

void spawn_begin(struct spawn_reader *r, struct head *head)
{
    static const char start[] = "GET / HTTP/1.1\r\nHost: -\r\n";
    http1_init(&r->scan, HTTP1_REQUEST, false);
    r->head = head;
    r->ok = true;
    feed(r, start, sizeof(start) - 1);
}

static bool unescape(struct span s, size_t at, char *ch)
{
    static const struct {
        char text[3], ch;
    } rows[] = {{{'%', '2', '5'}, '%'}, {{'%', '7', 'C'}, '|'}};
    for (size_t i = 0; s.n - at >= 3 && i < 2; i++)
        if (memcmp(s.p + at, rows[i].text, 3) == 0) {
            *ch = rows[i].ch;
            return true;
        }
    return false;
}

static void feed_escaped(struct spawn_reader *r, struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        char ch = s.p[i];
        if (ch == '%' && unescape(s, i, &ch))
            i += 2;
        if (ch == '\r' || ch == '\n')
            r->ok = false;
        feed(r, &ch, 1);
    }
}

/* A line ending in the middle of a value would be another line. */
static bool is_one_line(struct span s)
{
    return span_find(s, '\r') == s.n && span_find(s, '\n') == s.n;
}

void spawn_field(struct spawn_reader *r, struct span name, struct span value, bool escaped)
{
    r->ok = r->ok && name.n > 0 && is_one_line(name) && is_one_line(value);
    feed(r, name.p, name.n);
    feed(r, ": ", 2);
    if (escaped)
        feed_escaped(r, value);
    else
        feed(r, value.p, value.n);
    feed(r, "\r\n", 2);
}

bool spawn_end(struct spawn_reader *r)
{
    size_t used;
    return r->ok && http1_scan(&r->scan, "\r\n", 2, &used, &head_sink, r->head) == HTTP1_EMPTY_LINE;
}

/* One `name: value`. */
static void entry(struct spawn_reader *r, struct span s)
{
    size_t name = span_find(s, ':');
    if (name == 0 || s.n < name + 2 || s.p[name + 1] != ' ') {
        r->ok = false;
        return;
    }
    spawn_field(r, (struct span){s.p, name}, (struct span){s.p + name + 2, s.n - name - 2}, true);
}

bool spawn_read(struct span text, struct head *head)
{
    struct spawn_reader r;
    spawn_begin(&r, head);
    while (text.n > 0 && r.ok) {
        size_t n = span_find(text, '|');
        entry(&r, (struct span){text.p, n});
        n += n < text.n;
        text = (struct span){text.p + n, text.n - n};
    }
    return spawn_end(&r);
}

/* --- CGI ------------------------------------------------------------------------------------- */

bool spawn_is_cgi(const char *(*env)(const char *))
{
    const char *gateway = env("GATEWAY_INTERFACE"), *method = env("REQUEST_METHOD");
    static const char with[] = "CGI/";
    for (size_t i = 0; gateway && i < sizeof(with) - 1; i++)
        if (gateway[i] != with[i])
            return false;
    return gateway && method && *method;
}

size_t spawn_cgi_name(const char *var, char name[HTTP1_NAME_MAX])
{
    static const char with[] = "HTTP_";
    size_t n = 0;
    for (size_t i = 0; i < sizeof(with) - 1; i++)
        if (var[i] != with[i])
            return 0;
    for (var += sizeof(with) - 1; var[n] && var[n] != '='; n++) {
        if (n == HTTP1_NAME_MAX)
            return 0;
        name[n] = var[n] == '_' ? '-' : span_lower(var[n]);
    }
    return var[n] == '=' ? n : 0;
}
