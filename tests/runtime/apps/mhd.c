/* SPDX-License-Identifier: Apache-2.0 */
/* libmicrohttpd + libcurl: `mhd PORT thread|pool`. */
#include <curl/curl.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char decoy[4096];
static __thread CURL *pooled;

static size_t ignore(char *p, size_t s, size_t n, void *x)
{
    (void)p, (void)x;
    return s * n;
}

static void call(CURL *c, const char *i, const char *leg, const char *body)
{
    char url[256];
    snprintf(url, sizeof(url), "http://%s/?id=%s&leg=%s", getenv("UPSTREAM"), i, leg);
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, ignore);
    if (body)
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
    else
        curl_easy_setopt(c, CURLOPT_HTTPGET, 1L);
    curl_easy_perform(c);
}

static void calls(const char *i)
{
    char body[8192];
    CURL *c = curl_easy_init();
    if (!pooled)
        pooled = curl_easy_init();
    call(c, i, "a", NULL);
    snprintf(body, sizeof(body), "%s%s", decoy, i);
    call(c, i, "b", body);
    curl_easy_cleanup(c);
    call(pooled, i, "c", NULL);
    call(pooled, i, "d", NULL);
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *con, const char *url,
                              const char *method, const char *version, const char *data, size_t *n,
                              void **state)
{
    static int seen;
    (void)cls, (void)url, (void)method, (void)version, (void)data;
    if (!*state)
        return *state = &seen, MHD_YES;
    if (*n)
        return *n = 0, MHD_YES;
    const char *i = MHD_lookup_connection_value(con, MHD_GET_ARGUMENT_KIND, "id");
    if (strcmp(i, "0") != 0)
        calls(i);
    struct MHD_Response *r =
        MHD_create_response_from_buffer(strlen(i), (void *)i, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result ok = MHD_queue_response(con, 200, r);
    MHD_destroy_response(r);
    return ok;
}

int main(int argc, char **argv)
{
    int threads = argc > 2 && strcmp(argv[2], "thread") == 0;
    curl_global_init(CURL_GLOBAL_ALL);
    for (int k = 0; k < 20; k++)
        sprintf(decoy + strlen(decoy),
                "GET /decoy HTTP/1.1\r\nHost: decoy\r\ntraceparent: "
                "00-%032x-00f067aa0ba902b7-01\r\n\r\n",
                0xdec0);
    if (threads)
        MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD,
                         (uint16_t)atoi(argv[1]), NULL, NULL, handle, NULL, MHD_OPTION_END);
    else
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, (uint16_t)atoi(argv[1]), NULL, NULL, handle,
                         NULL, MHD_OPTION_THREAD_POOL_SIZE, 8u, MHD_OPTION_END);
    pause();
}
