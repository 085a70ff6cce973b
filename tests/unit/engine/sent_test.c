/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sent: what conn_bytes_sent says while the peer reads slowly. Whoever keeps what was written until
 * it is confirmed rests on it: nothing that the peer can have read may count as not sent. */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "machine.h"
#include "tls/tls.h"

#define TOTAL    ((size_t)400000)
#define SEGMENT  536              /* so that the sending side keeps few bytes */
#define RECEIVES 4096

static struct machine m;
static struct tls_context *ctx;
static struct conn *conn;
static _Atomic bool is_secured, is_closed;

static struct tls_context *context(const char *backend)
{
    struct tls_credential credential = {.certificate_path = TLS_CERTS "/good.crt",
                                        .key_path = TLS_CERTS "/good.key"};
    struct tls_context_params params = {.credentials = &credential,
                                        .credential_count = 1,
                                        .trust_path = TLS_CERTS "/trust.crt"};
    struct tls_context *out;
    struct tls_error why;

    cr_assert_eq(tls_context_new(&out, tls_backend_find(backend), &params, &why), 0, "%s",
                 why.text);
    return out;
}

static size_t on_data(struct conn *c, void *owner, char *bytes, size_t len)
{
    (void)c;
    (void)owner;
    (void)bytes;
    return len;
}

static void on_secured(struct conn *c, void *owner)
{
    (void)owner;
    conn = c;
    is_secured = true;
}

static void on_closed(struct conn *c, void *owner, int err, const char *why, size_t unsent)
{
    (void)c;
    (void)owner;
    (void)err;
    (void)why;
    (void)unsent;
    is_closed = true;
}

static void accepted(struct shard *sh, struct conn *c, uint32_t tag)
{
    static const struct conn_ops ops = {
        .data = on_data, .secured = on_secured, .closed = on_closed};
    struct conn_tls_params params = {
        .ctx = ctx, .session = {.role = TLS_ROLE_SERVER, .credential_idx = UINT32_MAX}};

    (void)sh;
    (void)tag;
    conn_set_owner(c, &ops, NULL);
    conn_set_out_max(c, TOTAL + 1);
    if (ctx) {
        cr_assert_eq(conn_start_tls(c, &params), 0);
    } else {
        on_secured(c, NULL);
    }
}

static void write_all(struct shard *sh, void *arg)
{
    static const char text[1000];

    (void)sh;
    (void)arg;
    for (size_t i = 0; i < TOTAL; i += sizeof(text)) {
        buf_append(conn_out(conn), text, sizeof(text));
    }
    conn_flush(conn);
}

static void look(struct shard *sh, void *arg)
{
    (void)sh;
    *(uint64_t *)arg = conn_bytes_sent(conn);
}

static int slow_client(void)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(m.port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int segment = SEGMENT;
    int receives = RECEIVES;
    int on = 1;

    cr_assert_geq(fd, 0);
    cr_assert_eq(setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof(segment)), 0);
    cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receives, sizeof(receives)), 0);
    cr_assert_eq(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0, "%d", errno);
    return fd;
}

/* A client's session over a blocking socket. */
static struct tls_session *handshake(int fd, struct buf *out)
{
    struct tls_session_params params = {.role = TLS_ROLE_CLIENT, .credential_idx = 0};
    struct tls_session *s;
    enum tls_step step;
    size_t used;
    char byte;

    cr_assert_eq(tls_session_new(&s, ctx, &params), 0);
    step = tls_session_handshake(s, SLICE_NONE, &used, out);
    for (;;) {
        cr_assert(client_send(fd, buf_slice(out).ptr, buf_len(out)));
        buf_clear(out);
        if (step != TLS_STEP_MORE) {
            break;
        }
        cr_assert(client_recv(fd, &byte, 1));
        step = tls_session_handshake(s, slice_make(&byte, 1), &used, out);
    }
    cr_assert_eq(step, TLS_STEP_DONE, "%s", tls_session_error(s)->text);
    return s;
}

/* What is readable of bytes that have come in; what is not yet stays in held. */
static size_t opened(struct tls_session *s, struct buf *held, struct buf *out)
{
    size_t plain_bytes = 0;

    for (;;) {
        struct slice plain = SLICE_NONE;
        size_t used = 0;

        cr_assert_eq(
            tls_session_open(s, held->data + held->head, buf_len(held), &used, &plain, out), 0);
        if (used == 0) {
            return plain_bytes;
        }
        plain_bytes += plain.len;
        buf_consume(held, used);
    }
}

/* Reads in steps; after each, the other side must count at least what was readable, and it must
 * have counted before everything is out. */
static void never_less_than_read(void)
{
    struct tls_session *s = NULL;
    struct buf held;
    struct buf out;
    uint64_t sent = 0;
    uint64_t middle = 0;
    size_t read_bytes = 0;
    char bytes[3000];
    int fd;

    machine_accepted = accepted;
    machine_start(&m, &(struct engine_params){0});
    buf_init(&held, (size_t)1 << 20);
    buf_init(&out, (size_t)1 << 20);
    fd = slow_client();
    if (ctx) {
        s = handshake(fd, &out);
    }
    WAIT_UNTIL(is_secured);
    machine_run(&m, 0, write_all, NULL);
    while (read_bytes < TOTAL) {
        ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

        cr_assert_gt(n, 0);
        if (s) {
            buf_append(&held, bytes, (size_t)n);
            read_bytes += opened(s, &held, &out);
        } else {
            read_bytes += (size_t)n;
        }
        machine_run(&m, 0, look, &sent);
        cr_assert_geq(sent, read_bytes, "%zu were read", read_bytes);
        cr_assert_leq(sent, TOTAL);
        middle = sent < TOTAL && sent > middle ? sent : middle;
    }
    cr_assert_eq(sent, TOTAL);
    cr_assert_gt(middle, TOTAL / 4, "sent at once: test too weak");
    client_close(fd);
    WAIT_UNTIL(is_closed);
    tls_session_free(s);
    tls_context_unref(ctx);
    buf_deinit(&held);
    buf_deinit(&out);
    machine_stop(&m);
}

Test(sent, plain)
{
    never_less_than_read();
}

Test(sent, tls13)
{
    ctx = context("wolfssl");
    never_less_than_read();
}

/* mbedTLS 2.28 has no TLS 1.3: the nonce stands in the record. */
Test(sent, tls12)
{
    ctx = context("mbedtls");
    never_less_than_read();
}
