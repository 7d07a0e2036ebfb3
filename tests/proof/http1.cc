/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http1: the numbers of message framing, proved for streams of any length.
 *
 * By induction over the scanner's states: `holds` says what is true of the numbers in each state,
 * it is claimed of the state in which a body begins, and of what each state function makes of any
 * numbers for which it is true and of any byte. So nothing here depends on how long a stream, a
 * number or a chunk is, or where it is cut.
 */
#include "symbolic.h"

using namespace sym;

/* The bytes of a call. Each state function looks at the one at `i`. */
struct Bytes {
    char byte;
    Sym n;
    char operator[](const Sym &i) const
    {
        claim(i < n, "a byte behind the last is read");
        return byte;
    }
};

#define size_t   Sym
#define uint64_t Sym
#include "http1.inc"
#undef size_t
#undef uint64_t

static const unsigned long chunk_end = 1ul << 62;               /* sizes are below this */
static const unsigned long length_max = (1ul << 58) * 10 + 9;   /* lengths are at most this */

static Bool implies(bool a, const Bool &b)
{
    return a ? b : Bool(true);
}

/* What is true of the numbers in a state. */
static Bool holds(const struct http1 &h)
{
    switch (h.state) {
    case S_CHUNK_SIZE:
        return both(h.acc < chunk_end, h.count <= 16);
    case S_CHUNK_EXT:
        return both(h.acc < chunk_end, (h.count & ~IN_EXT) <= CHUNK_EXT_MAX);
    case S_CHUNK_LF:
        return h.acc < chunk_end;
    case S_CHUNK_DATA:
        return both(both(h.remaining > 0, h.remaining < chunk_end), both(h.acc == 0, h.count == 0));
    case S_CHUNK_CR:
    case S_CHUNK_DATA_LF:
        return both(h.acc == 0, h.count == 0);
    case S_TRAILER:
    case S_TRAILER_NAME:
    case S_TRAILER_VALUE:
    case S_TRAILER_LF:
    case S_LAST_LF:
        return h.acc <= HTTP1_HEAD_MAX;
    case S_BODY:
        return both(h.remaining > 0, h.remaining <= length_max);
    default:
        return true;
    }
}

static char any_byte()
{
    return (char)(choose(16) * 16 + choose(16));
}

static struct http1 any_state(unsigned state)
{
    struct http1 h = {};
    h.state = (uint8_t)state;
    h.acc = any("acc");
    h.remaining = any("remaining");
    h.length_value = any("length");
    return h;
}

/* One call of a state function, for any numbers for which its state's words are true. */
static void step(unsigned state, enum http1_event (*f)(struct run *), unsigned count, bool one)
{
    struct http1 h = any_state(state);
    h.count = (uint16_t)count;
    assume(holds(h));
    struct http1 before = h;
    struct run r = {};
    r.h = &h;
    r.n = any("n");
    r.i = any("i");
    assume(r.i < r.n);
    if (one)
        assume(r.n == r.i + 1);
    r.p = {any_byte(), r.n};
    Sym i = r.i;
    enum http1_event ev = f(&r);
    claim(holds(h), "what is true of a state is not");
    claim(i <= r.i && r.i <= r.n, "more was consumed than was given");
    claim(implies(ev == NEXT && h.state == state && state != S_CHUNK_SIZE, i < r.i),
          "a turn without an end");
    if (state == S_BODY || state == S_CHUNK_DATA) {
        claim(r.i.e - i.e <= before.remaining.e, "more was skipped than the body holds");
        claim(h.remaining.e == before.remaining.e - (r.i.e - i.e), "the rest is wrong");
        claim(either(h.remaining == 0, r.i == r.n), "bytes of the body were left");
        bool ended = h.remaining == Sym(0);
        claim(ended == (ev == HTTP1_END || h.state == S_CHUNK_CR), "an end that is none, or none");
    }
    if (state == S_CHUNK_LF && h.state == S_CHUNK_DATA)
        claim(h.remaining == before.acc, "a chunk of another size");
}

/* A digit makes of a size what it should, and is refused where the size would be too long. */
static void chunk_digit()
{
    struct http1 h = any_state(S_CHUNK_SIZE);
    h.count = (uint16_t)choose(17);
    assume(holds(h));
    struct http1 before = h;
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    unsigned d = choose(32);
    struct run r = {};
    r.h = &h;
    r.n = 1;
    r.p = {digits[d], 1};
    bool good = http1_in_chunk_size(&r) == NEXT;
    claim(good == (before.count < 16 && bool(before.acc < (1ul << 58))), "refused, or not refused");
    if (good)
        claim(h.acc.e == before.acc.e * 16 + (int)(d % 16), "another number");
}

/* --- Content-Length ----------------------------------------------------------------------------- */

static void length_digits()
{
    struct http1 h = any_state(S_VALUE);
    h.field = FIELD_LENGTH;
    h.count = (uint16_t)choose(2);
    h.flags = choose(2) ? F_LENGTH_OVER : 0;
    assume(h.acc <= length_max);
    struct http1 before = h;
    char c = any_byte();
    bool digit = c >= '0' && c <= '9', space = c == ' ' || c == '\t';
    bool good = length_byte(&h, c);
    claim(h.acc <= length_max, "too great a length");
    claim(!good || digit || space, "a length that is not of digits");
    if (good && digit) {
        claim(h.acc.e == before.acc.e * 10 + (c - '0'), "another number");
        claim(!(before.flags & F_LENGTH_OVER), "digits behind white space");
    } else
        claim(h.acc == before.acc, "another number");
    claim(implies(digit && !(before.flags & F_LENGTH_OVER) && !good, before.acc > (1ul << 58)),
          "a length was refused");
}

static void length_ends()
{
    struct http1 h = any_state(S_FIELD);
    h.field = FIELD_LENGTH;
    h.count = (uint16_t)choose(2);
    h.length = choose(2);
    assume(h.acc <= length_max);
    assume(h.length_value <= length_max);
    struct http1 before = h;
    if (length_done(&h) != NEXT)
        return;
    claim(before.count > 0, "a length without digits");
    claim(h.length && bool(h.length_value == before.acc), "another length");
    claim(!before.length || bool(before.length_value == h.length_value), "two lengths");
}

static void field_begins()
{
    struct http1 h = any_state(S_NAME);
    h.field = FIELD_LENGTH;
    h.count = 1;
    framing_begins(&h);
    claim(both(h.acc == 0, h.count == 0), "a length begins with the last number");
}

/* --- where a body begins ------------------------------------------------------------------------ */

static void body_begins()
{
    static const uint16_t status[] = {0, 100, 101, 199, 200, 204, 299, 304, 500, 999};
    struct http1 h = any_state(S_EMPTY_LF);
    h.direction = (uint8_t)choose(2);
    h.status = status[choose(10)];
    h.method = (uint8_t)choose(6);
    h.te = choose(2);
    h.length = choose(2);
    h.upgrade = choose(2);
    h.flags = (uint16_t)((choose(2) ? F_TE_BAD : 0) | (choose(2) ? F_UPGRADE : 0));
    assume(h.length_value <= length_max);
    http1_frame(&h);
    claim(holds(h), "what is true of a state is not");
    if (h.state == S_BODY)
        claim(h.length && !h.te && bool(h.remaining == h.length_value), "a body of another length");
    if (h.state == S_CHUNK_SIZE)
        claim(h.te && bool(h.acc == 0) && h.count == 0, "a size begins with the last number");
}

/* --- exhausted: every count and every byte of a chunk extension --------------------------------- */

static void extension_counts()
{
    static struct http1 h;
    for (unsigned seen = 0; seen <= IN_EXT; seen += IN_EXT)
        for (unsigned n = 0; n <= CHUNK_EXT_MAX; n++)
            for (int c = 0; c < 256; c++) {
                h.count = (uint16_t)(seen | n);
                bool good = ext_byte(&h, (char)c);
                unsigned now = h.count & ~IN_EXT;
                if (now > CHUNK_EXT_MAX || (good && now != n + 1) || (good && n == CHUNK_EXT_MAX) ||
                    (seen && !(h.count & IN_EXT)))
                    claim(false, "the count of an extension");
            }
    claim(true, "");
}

/* --- all of it ---------------------------------------------------------------------------------- */

#define X(id, fn, part) #id,
static const char *const names[] = {HTTP1_STATES(X)};
#undef X

static void steps(unsigned state, enum http1_event (*f)(struct run *))
{
    std::string name = names[state];
    for (char &c : name)
        c = c == '_' ? '-' : (char)tolower(c);
    prove("http1-" + name, [=] {
        unsigned count = 0;
        if (state == S_CHUNK_SIZE)
            count = choose(17);
        if (state == S_CHUNK_EXT)
            count = (choose(2) ? IN_EXT : 0) + (choose(2) ? CHUNK_EXT_MAX - choose(2) : choose(2));
        step(state, f, count, state == S_CHUNK_EXT);
    });
}

int main()
{
    prove("http1-length-digits", length_digits);
    prove("http1-length-ends", length_ends);
    prove("http1-length-begins", field_begins);
    prove("http1-body-begins", body_begins);
    steps(S_BODY, http1_in_body);
    steps(S_CLOSE, http1_in_close);
    prove("http1-chunk-digits", chunk_digit);
    steps(S_CHUNK_SIZE, http1_in_chunk_size);
    steps(S_CHUNK_EXT, http1_in_chunk_ext);
    prove("http1-chunk-ext-counts", extension_counts);
    steps(S_CHUNK_LF, http1_in_chunk_lf);
    steps(S_CHUNK_DATA, http1_in_chunk_data);
    steps(S_CHUNK_CR, http1_in_chunk_cr);
    steps(S_CHUNK_DATA_LF, http1_in_chunk_data_lf);
    steps(S_TRAILER, http1_in_trailer);
    steps(S_TRAILER_NAME, http1_in_trailer_name);
    steps(S_TRAILER_VALUE, http1_in_trailer_value);
    steps(S_TRAILER_LF, http1_in_trailer_lf);
    steps(S_LAST_LF, http1_in_last_lf);
    return failures ? 1 : 0;
}
