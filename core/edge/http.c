/* SPDX-License-Identifier: GPL-2.0-or-later */
/* http: libmicrohttpd, polled from outside: no thread, no waiting. */
#include "edge/http.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include <microhttpd.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "edge/http_page.h"

#define LISTEN_BACKLOG    16
#define REQUEST_BYTES_MAX ((size_t)16 << 10) /* memory of one connection */
#define RUNS_PER_TURN_MAX 8u                 /* MHD advances a connection one state at a time */

struct http {
    struct MHD_Daemon *daemon; /* owned */
    struct http_params params;
    int epoll_fd; /* the daemon's */
    uint16_t port;
};

struct answer {
    unsigned status;
    const char *type;
    const char *policy; /* Content-Security-Policy */
    struct buf body;
};

/* Called by libmicrohttpd when the response is done with. */
static void free_body(void *block)
{
    pool_free(block);
}

static enum MHD_Result queue_answer(struct MHD_Connection *conn, struct answer *a)
{
    struct slice body = buf_slice(&a->body);
    struct MHD_Response *response;
    enum MHD_Result result;

    if (a->body.head == 0 && body.len > 0) {
        /* The block itself goes along: a large /stats is not copied. */
        response =
            MHD_create_response_from_buffer_with_free_callback(body.len, a->body.data, free_body);
        if (response) {
            buf_init(&a->body, HTTP_BODY_BYTES_MAX); /* given away */
        }
    } else {
        response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    }
    buf_deinit(&a->body);
    if (!response) {
        return MHD_NO;
    }
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, a->type);
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    (void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    (void)MHD_add_response_header(response, "Content-Security-Policy", a->policy);
    if (a->status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    }
    result = MHD_queue_response(conn, a->status, response);
    MHD_destroy_response(response);
    return result;
}

static void put_text(struct answer *a, unsigned status, const char *text)
{
    buf_clear(&a->body);
    a->status = status;
    a->type = "text/plain; charset=utf-8";
    buf_put_cstr(&a->body, text);
}

static void put_document(struct answer *a, const char *type,
                         void (*write)(struct buf *out, void *ctx), void *ctx)
{
    a->type = type;
    write(&a->body, ctx);
    if (a->body.failed) {
        put_text(a, MHD_HTTP_SERVICE_UNAVAILABLE, "the document does not fit its buffer\n");
    }
}

static void put_ready(struct answer *a, const struct http_params *params)
{
    const char *reason = params->not_ready(params->ctx);

    if (reason) {
        put_text(a, MHD_HTTP_SERVICE_UNAVAILABLE, reason);
        buf_putc(&a->body, '\n');
    } else {
        put_text(a, MHD_HTTP_OK, "ready\n");
    }
}

static void put_health(struct answer *a, const struct http_params *params)
{
    const char *trouble = params->trouble ? params->trouble(params->ctx) : NULL;

    put_text(a, MHD_HTTP_OK, "ok\n");
    if (trouble) {
        buf_put_lit(&a->body, "degraded: ");
        buf_put_cstr(&a->body, trouble);
        buf_putc(&a->body, '\n');
    }
}

static void answer_path(const struct http *h, const char *path, struct answer *a)
{
    const struct http_params *params = &h->params;

    if (strcmp(path, "/stats") == 0) {
        put_document(a, "application/json", params->stats, params->ctx);
    } else if (strcmp(path, "/metrics") == 0) {
        put_document(a, "text/plain; version=0.0.4; charset=utf-8", params->metrics, params->ctx);
    } else if (strcmp(path, "/healthz") == 0) {
        put_health(a, params);
    } else if (strcmp(path, "/readyz") == 0) {
        put_ready(a, params);
    } else if (strcmp(path, "/") == 0) {
        a->type = "text/html; charset=utf-8";
        a->policy = http_page_policy;
        buf_put_cstr(&a->body, http_page);
    } else {
        put_text(a, MHD_HTTP_NOT_FOUND,
                 "not found; there are /, /stats, /metrics, /healthz, /readyz\n");
    }
}

/* libmicrohttpd calls this once with the header, then with the body's parts, then at its end. */
static enum MHD_Result on_request(void *ctx, struct MHD_Connection *conn, const char *path,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_len, void **request)
{
    static const char header_seen;
    struct answer a = {.status = MHD_HTTP_OK, .policy = "default-src 'none'"};

    (void)version;
    (void)upload;
    if (!*request) {
        *request = (void *)(uintptr_t)&header_seen;
        return MHD_YES;
    }
    if (*upload_len) {
        *upload_len = 0; /* a body is read and thrown away */
        return MHD_YES;
    }
    buf_init(&a.body, HTTP_BODY_BYTES_MAX);
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        put_text(&a, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    } else {
        answer_path(ctx, path, &a);
    }
    return queue_answer(conn, &a);
}

static uint16_t bound_port(int fd)
{
    struct sockaddr_storage addr;
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;
    socklen_t len = sizeof(addr);

    if (getsockname(fd, (struct sockaddr *)&addr, &len) < 0) {
        return 0;
    }
    if (addr.ss_family == AF_INET) {
        memcpy(&in4, &addr, sizeof(in4));
        return ntohs(in4.sin_port);
    }
    memcpy(&in6, &addr, sizeof(in6));
    return ntohs(in6.sin6_port);
}

/* The socket, or -errno. */
static int open_listener(const struct sockaddr *addr, socklen_t addr_len)
{
    int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int one = 1;
    int err;

    if (fd < 0) {
        return -errno;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (addr->sa_family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    }
    if (bind(fd, addr, addr_len) < 0 || listen(fd, LISTEN_BACKLOG) < 0) {
        err = -errno;
        (void)close(fd);
        return err;
    }
    return fd;
}

int http_new(struct http **out, const struct http_params *params, char why[HTTP_WHY_BYTES])
{
    unsigned flags = MHD_USE_EPOLL;
    const union MHD_DaemonInfo *info;
    struct http *h;
    int fd;

    *out = NULL;
    why[0] = 0;
    if (params->addr->sa_family != AF_INET && params->addr->sa_family != AF_INET6) {
        return -EAFNOSUPPORT;
    }
    fd = open_listener(params->addr, params->addr_len);
    if (fd < 0) {
        (void)snprintf(why, HTTP_WHY_BYTES, "%s", err_text(fd));
        return fd;
    }
    if (params->addr->sa_family == AF_INET6) {
        flags |= MHD_USE_IPv6;
    }
    h = pool_heap_zalloc(sizeof(*h));
    h->params = *params;
    h->params.addr = NULL; /* only borrowed for this call */
    h->port = bound_port(fd);
    h->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, h, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, HTTP_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
        HTTP_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, REQUEST_BYTES_MAX, MHD_OPTION_END);
    if (!h->daemon) {
        (void)close(fd);
        pool_heap_free(h);
        (void)snprintf(why, HTTP_WHY_BYTES, "libmicrohttpd does not start");
        return ERR_UNSUPPORTED;
    }
    info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    h->epoll_fd = info ? info->epoll_fd : -1;
    *out = h;
    return 0;
}

void http_turn(struct http *h)
{
    if (!h) {
        return;
    }
    /* A request takes several runs from accept to answer; without this each would cost a turn of
     * the caller. The bound keeps a busy client from holding the control thread. */
    for (uint32_t i = 0; i < RUNS_PER_TURN_MAX; i++) {
        /* poll, not epoll_wait: that would eat the daemon's edge-triggered events. */
        struct pollfd p = {.fd = h->epoll_fd, .events = POLLIN};
        MHD_UNSIGNED_LONG_LONG wait_ms = 1;

        (void)MHD_run(h->daemon);
        if ((MHD_get_timeout(h->daemon, &wait_ms) == MHD_NO || wait_ms > 0) &&
            poll(&p, 1, 0) <= 0) {
            return;
        }
    }
}

int http_fd(const struct http *h)
{
    return h ? h->epoll_fd : -1;
}

uint16_t http_port(const struct http *h)
{
    return h->port;
}

void http_free(struct http *h)
{
    if (h) {
        MHD_stop_daemon(h->daemon); /* closes the listener and all connections */
        pool_heap_free(h);
    }
}
