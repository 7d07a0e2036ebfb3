/* SPDX-License-Identifier: Apache-2.0 */
/*
 * coroutines: a server on one thread, a C++20 coroutine for each connection, over
 * epoll. All requests are open on the same thread, so nothing can be inferred; the
 * scheduler knows whose coroutine it resumes, and the lines marked TRACE say so.
 * Without libtracebaton.so they do nothing.
 *
 *   c++ -std=c++20 -Iinclude -o coroutines examples/api/coroutines.cc
 *   LD_PRELOAD=libtracebaton.so ./coroutines PORT UPSTREAM_HOST UPSTREAM_PORT
 */
#include <arpa/inet.h>
#include <coroutine>
#include <cstdlib>
#include <exception>
#include <string>
#include <sys/epoll.h>
#include <unistd.h>

#include "tracebaton.h" /* TRACE */

static int poller;
static sockaddr_in upstream;

struct task {
    struct promise_type {
        tracebaton_context trace = 0; /* TRACE: whose coroutine this is */
        task get_return_object()
        {
            return {};
        }
        std::suspend_never initial_suspend()
        {
            return {};
        }
        std::suspend_never final_suspend() noexcept
        {
            tracebaton_release(trace); /* TRACE */
            return {};
        }
        void return_void()
        {
        }
        void unhandled_exception()
        {
            std::terminate();
        }
    };
};

using handle = std::coroutine_handle<task::promise_type>;

/* The only place where coroutines go on. */
static void resume(handle h)
{
    tracebaton_scope s = tracebaton_enter(h.promise().trace); /* TRACE */
    h.resume();
    tracebaton_leave(s); /* TRACE */
}

/* co_await this: until the number is ready. */
struct ready {
    int fd;
    unsigned events;
    bool await_ready() const
    {
        return false;
    }
    void await_suspend(handle h) const
    {
        epoll_event e{};
        e.events = events | EPOLLONESHOT;
        e.data.ptr = h.address();
        if (epoll_ctl(poller, EPOLL_CTL_MOD, fd, &e) < 0)
            epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e);
    }
    void await_resume() const
    {
    }
};

/* co_await this: the request open on a connection is the coroutine's own from here on. */
struct serve {
    int fd;
    bool await_ready() const
    {
        return false;
    }
    bool await_suspend(handle h) const
    {
        h.promise().trace = tracebaton_capture_fd(fd); /* TRACE */
        tracebaton_enter(h.promise().trace);           /* TRACE: resume() leaves */
        return false;
    }
    void await_resume() const
    {
    }
};

static std::size_t wanted(const std::string &text)
{
    auto end = text.find("\r\n\r\n");
    if (end == std::string::npos)
        return text.size() + 1;
    auto length = text.find("\r\nContent-Length: ");
    return end + 4 + (length < end ? std::strtoul(text.c_str() + length + 18, nullptr, 10) : 0);
}

static task connection(int fd)
{
    std::string text;
    char buf[4096];
    while (text.size() < wanted(text)) {
        co_await ready{fd, EPOLLIN};
        ssize_t n = read(fd, buf, sizeof(buf));
        if (n <= 0)
            break;
        text.append(buf, static_cast<std::size_t>(n));
    }
    co_await serve{fd};
    auto at = text.find("id=");
    std::string id =
        at == std::string::npos ? "0" : text.substr(at + 3, text.find_first_of(" &", at) - at - 3);
    for (char leg : std::string(id == "0" ? "" : "acd")) {
        int up = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(up, reinterpret_cast<sockaddr *>(&upstream), sizeof(upstream));
        co_await ready{up, EPOLLOUT};
        std::string head =
            "GET /?id=" + id + "&leg=" + leg + " HTTP/1.1\r\nHost: up\r\nConnection: close\r\n\r\n";
        if (write(up, head.data(), head.size()) < 0)
            std::perror("write");
        do
            co_await ready{up, EPOLLIN};
        while (read(up, buf, sizeof(buf)) > 0);
        close(up);
    }
    std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(id.size()) +
                         "\r\nConnection: close\r\n\r\n" + id;
    if (write(fd, answer.data(), answer.size()) < 0)
        std::perror("write");
    close(fd);
}

static task acceptor(int s)
{
    for (;;) {
        co_await ready{s, EPOLLIN};
        int fd = accept4(s, nullptr, nullptr, SOCK_NONBLOCK);
        if (fd >= 0)
            connection(fd);
    }
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    at.sin_port = htons(static_cast<unsigned short>(std::atoi(argv[1])));
    upstream = at;
    upstream.sin_port = htons(static_cast<unsigned short>(std::atoi(argv[3])));
    inet_aton(argv[2], &upstream.sin_addr);
    int on = 1, s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(s, reinterpret_cast<sockaddr *>(&at), sizeof(at)) < 0 || listen(s, 128) < 0)
        return 1;
    poller = epoll_create1(0);
    acceptor(s);
    for (epoll_event e[64];;)
        for (int i = 0, n = epoll_wait(poller, e, 64, -1); i < n; i++)
            resume(handle::from_address(e[i].data.ptr));
}
