/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_response: the scanner over responses to GET, HEAD and CONNECT; several
 * in one stream, interim ones (1xx) before the final one. See scan.h.
 */
#define _GNU_SOURCE
#define FUZZ_NAME   "response"
#define FUZZ_TOKENS STREAM_TOKENS
#include "fuzz/fuzz.h"
#include "fuzz/scan.h"

static const struct stream setups[] = {{HTTP1_RESPONSE, false, HTTP1_M_GET, NULL, 0},
                                       {HTTP1_RESPONSE, false, HTTP1_M_HEAD, NULL, 0},
                                       {HTTP1_RESPONSE, false, HTTP1_M_CONNECT, NULL, 0}};
#define SETUPS (sizeof(setups) / sizeof(setups[0]))

static const char *fuzz_judge(const uint8_t *data, size_t n)
{
    if (n == 0)
        return NULL;
    struct stream s = setups[data[0] % SETUPS];
    s.p = (const char *)data + 1;
    s.n = n - 1;
    return scan_judge(&s);
}

static void add_case(const char *file, struct wire_case *w)
{
    (void)file;
    size_t setup = scan_setup(setups, SETUPS, &w->stream);
    if (setup < SETUPS)
        stream_seed((uint8_t)setup, w->stream.p, w->stream.n);
}

static const char *fuzz_seeds(void)
{
    static const char *const more[] = {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 "
                                       "OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 204 No\r\n\r\n",
                                       "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 "
                                       "OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                       "3;a=\"b\"\r\nabc\r\n0\r\nX-Sum: 1\r\nEtag: \"a\"\r\n\r\n",
                                       "HTTP/1.0 200 OK\r\n\r\nuntil the end",
                                       "HTTP/1.1 304 Not Modified\r\nContent-Length: "
                                       "9\r\n\r\nHTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"};
    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
        for (uint8_t setup = 0; setup < SETUPS; setup++)
            stream_seed(setup, more[i], strlen(more[i]));
    return stream_cases(add_case);
}
