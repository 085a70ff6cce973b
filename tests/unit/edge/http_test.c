/* SPDX-License-Identifier: GPL-2.0-or-later */
/* http_test: real requests over loopback; the server is polled as the control thread does. */
#include "edge/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <criterion/criterion.h>

#define ANSWER_BYTES ((size_t)6 << 20)

struct server {
    struct http *http;
    struct sockaddr_in addr;
    const char *reason; /* not ready */
    size_t stats_bytes; /* filler */
    uint32_t calls;
    const char *trouble;
};

static void write_stats(struct buf *out, void *ctx)
{
    struct server *s = ctx;

    s->calls++;
    buf_put_lit(out, "{\"node\":\"n\"");
    for (size_t i = 0; i < s->stats_bytes; i += 64) {
        buf_put_lit(out, "                                                                ");
    }
    buf_putc(out, '}');
}

static void write_metrics(struct buf *out, void *ctx)
{
    (void)ctx;
    buf_put_lit(out, "fedgate_up 1\n");
}

static const char *not_ready(void *ctx)
{
    return ((struct server *)ctx)->reason;
}

static const char *trouble(void *ctx)
{
    return ((struct server *)ctx)->trouble;
}

static struct server *server_new(void)
{
    struct server *s = calloc(1, sizeof(*s));
    struct http_params params = {.addr_len = sizeof(s->addr),
                                 .stats = write_stats,
                                 .metrics = write_metrics,
                                 .not_ready = not_ready,
                                 .trouble = trouble,
                                 .ctx = s};
    char why[HTTP_WHY_BYTES];

    cr_assert_not_null(s);
    s->addr = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    params.addr = (const struct sockaddr *)&s->addr;
    cr_assert_eq(http_new(&s->http, &params, why), 0, "%s", why);
    s->addr.sin_port = htons(http_port(s->http));
    cr_assert_neq(s->addr.sin_port, 0);
    cr_expect_geq(http_fd(s->http), 0);
    return s;
}

static void server_free(struct server *s)
{
    http_free(s->http);
    free(s);
}

static int dial(const struct server *s)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    cr_assert_eq(connect(fd, (const struct sockaddr *)&s->addr, sizeof(s->addr)), 0);
    cr_assert_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

/* Sends bytes, turns the server until it closes or is quiet; the answer, until the next call. */
static const char *ask(struct server *s, const char *request)
{
    static char answer[ANSWER_BYTES];
    size_t sent = 0;
    size_t len = 0;
    int fd = dial(s);

    for (int round = 0; round < 2000; round++) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        size_t left = strlen(request) - sent;
        ssize_t n = left ? write(fd, request + sent, left < 7 ? left : 7) : 0;

        sent += n > 0 ? (size_t)n : 0;
        http_turn(s->http);
        if (poll(&p, 1, left ? 0 : 1) > 0) {
            n = read(fd, answer + len, sizeof(answer) - 1 - len);
            if (n == 0 || (n < 0 && errno != EAGAIN)) {
                break;
            }
            len += n > 0 ? (size_t)n : 0;
        }
    }
    (void)close(fd);
    answer[len] = 0;
    return answer;
}

static const char *body_of(const char *answer)
{
    const char *end = strstr(answer, "\r\n\r\n");

    return end ? end + 4 : "no body";
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

static void expect(struct server *s, const char *request, const char *status, const char *body)
{
    const char *answer = ask(s, request);

    cr_expect_eq(strncmp(answer, status, strlen(status)), 0, "%.300s", answer);
    if (body) {
        cr_expect_str_eq(body_of(answer), body);
    }
}

Test(http, documents)
{
    struct server *s = server_new();

    expect(s, GET("/stats"), "HTTP/1.1 200 ", "{\"node\":\"n\"}");
    cr_expect_not_null(strstr(ask(s, GET("/stats")), "\r\nContent-Type: application/json\r\n"));
    cr_expect_not_null(strstr(ask(s, GET("/stats")), "\r\nCache-Control: no-store\r\n"));
    expect(s, GET("/metrics"), "HTTP/1.1 200 ", "fedgate_up 1\n");
    cr_expect_not_null(strstr(ask(s, GET("/metrics")), "version=0.0.4"));
    expect(s, GET("/healthz"), "HTTP/1.1 200 ", "ok\n");
    s->trouble = "a disk is full";
    expect(s, GET("/healthz"), "HTTP/1.1 200 ", "ok\ndegraded: a disk is full\n");
    s->trouble = NULL;
    expect(s, GET("/stats?x=y"), "HTTP/1.1 200 ", "{\"node\":\"n\"}");
    expect(s, GET("/"), "HTTP/1.1 200 ", NULL);
    cr_expect_not_null(strstr(ask(s, GET("/")), "<title>fedgate</title>"));
    cr_expect_not_null(strstr(ask(s, GET("/")), "\r\nContent-Security-Policy: default-src 'none'"));
    server_free(s);
}

Test(http, readiness_names_its_reason)
{
    struct server *s = server_new();

    expect(s, GET("/readyz"), "HTTP/1.1 200 ", "ready\n");
    s->reason = "draining";
    expect(s, GET("/readyz"), "HTTP/1.1 503 ", "draining\n");
    expect(s, GET("/healthz"), "HTTP/1.1 200 ", "ok\n");
    server_free(s);
}

Test(http, a_head_has_no_body)
{
    struct server *s = server_new();

    expect(s, "HEAD /stats HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 ", "");
    cr_expect_not_null(
        strstr(ask(s, "HEAD /stats HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
               "Content-Length: 12\r\n"));
    server_free(s);
}

Test(http, everything_else_is_refused)
{
    struct server *s = server_new();

    expect(s, GET("/nope"), "HTTP/1.1 404 ", NULL);
    expect(s, GET("/stats/"), "HTTP/1.1 404 ", NULL);
    expect(s, GET("/../etc/passwd"), "HTTP/1.1 404 ", NULL);
    expect(s,
           "POST /stats HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\n"
           "abc",
           "HTTP/1.1 405 ", "only GET and HEAD\n");
    cr_expect_not_null(strstr(ask(s, "DELETE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
                              "\r\nAllow: GET, HEAD\r\n"));
    cr_expect_eq(s->calls, 0);
    server_free(s);
}

Test(http, a_large_document_arrives_whole)
{
    struct server *s = server_new();
    const char *body;

    s->stats_bytes = (size_t)4 << 20;
    body = body_of(ask(s, GET("/stats")));
    cr_expect_eq(strlen(body), s->stats_bytes + strlen("{\"node\":\"n\"}"));
    cr_expect_eq(body[strlen(body) - 1], '}');
    server_free(s);
}

Test(http, a_document_over_the_bound_is_an_error_not_half_a_document)
{
    struct server *s = server_new();

    s->stats_bytes = HTTP_BODY_BYTES_MAX;
    expect(s, GET("/stats"), "HTTP/1.1 503 ", "the document does not fit its buffer\n");
    server_free(s);
}

Test(http, garbage_and_floods_are_survived)
{
    struct server *s = server_new();
    char *flood = malloc(100001);
    /* Ten more than are served: they wait in the backlog. */
    int fds[HTTP_CONNECTIONS_MAX + 10];

    cr_assert_not_null(flood);
    memset(flood, 'a', 100000);
    flood[100000] = 0;
    (void)ask(s, "\x16\x03\x01\x02 not http\r\n\r\n");
    (void)ask(s, flood);
    for (size_t i = 0; i < HTTP_CONNECTIONS_MAX + 10; i++) {
        fds[i] = dial(s);
        http_turn(s->http);
    }
    for (size_t i = 0; i < HTTP_CONNECTIONS_MAX + 10; i++) {
        (void)close(fds[i]);
    }
    for (int i = 0; i < 50; i++) {
        http_turn(s->http);
    }
    expect(s, GET("/healthz"), "HTTP/1.1 200 ", "ok\n");
    free(flood);
    server_free(s);
}

Test(http, a_taken_address_is_named)
{
    struct server *s = server_new();
    struct http_params params = {.addr = (const struct sockaddr *)&s->addr,
                                 .addr_len = sizeof(s->addr)};
    struct http *second;
    char why[HTTP_WHY_BYTES];

    cr_expect_eq(http_new(&second, &params, why), -EADDRINUSE);
    cr_expect_null(second);
    cr_expect_neq(why[0], 0);
    server_free(s);
    http_turn(NULL);
    http_free(NULL);
    cr_expect_eq(http_fd(NULL), -1);
}

Test(http, works_over_ipv6)
{
    struct sockaddr_in6 addr = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct http_params params = {.addr = (const struct sockaddr *)&addr, .addr_len = sizeof(addr)};
    struct http *http;
    char why[HTTP_WHY_BYTES];
    int err = http_new(&http, &params, why);

    if (err == -EADDRNOTAVAIL || err == -EAFNOSUPPORT) {
        cr_skip_test("no IPv6 loopback here");
    }
    cr_assert_eq(err, 0, "%s", why);
    cr_expect_neq(http_port(http), 0);
    http_free(http);
}
