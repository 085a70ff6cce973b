/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wire: non-blocking sockets and OpenSSL on one epoll set. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/pool.h"
#include "load.h"

#define EVENTS_MAX     512
#define BACKLOG        512
#define TLS_READ_BYTES (64u << 10)

static int accept_any(int ok, X509_STORE_CTX *ctx)
{
    (void)ok;
    (void)ctx;
    return 1; /* whom the server shows is not what is measured */
}

static SSL_CTX *context(const struct load *l, const SSL_METHOD *method)
{
    SSL_CTX *ctx = SSL_CTX_new(method);
    if (!ctx || SSL_CTX_use_certificate_chain_file(ctx, l->certificate) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, l->key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256") != 1 ||
        SSL_CTX_set_cipher_list(ctx, "ECDHE-ECDSA-AES128-GCM-SHA256") != 1) {
        die("certificate %s or key %s: %s", l->certificate, l->key,
            ERR_error_string(ERR_get_error(), NULL));
    }
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    (void)SSL_CTX_set_num_tickets(ctx, 0);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_default_read_buffer_len(ctx, TLS_READ_BYTES);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, accept_any);
    return ctx;
}

static void watch(const struct load *l, int fd, void *what, uint32_t events, int op)
{
    struct epoll_event ev = {.events = events, .data.ptr = what};
    if (epoll_ctl(l->epoll, op, fd, &ev) < 0) {
        die("epoll_ctl: %s", strerror(errno));
    }
}

/* Events of a listener come with the address of where its descriptor stands. */
static void listen_at(struct load *l, int *listener, const struct sockaddr_in *at)
{
    int on = 1;
    *listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    (void)setsockopt(*listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(*listener, (const struct sockaddr *)at, sizeof *at) < 0 ||
        listen(*listener, BACKLOG) < 0) {
        die("listen: %s", strerror(errno));
    }
    watch(l, *listener, listener, EPOLLIN, EPOLL_CTL_ADD);
}

void wire_init(struct load *l)
{
    l->client = context(l, TLS_client_method());
    l->server = context(l, TLS_server_method());
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    listen_at(l, &l->listener, &l->listen);
    listen_at(l, &l->sip_listener, &l->sip_listen);
}

static struct conn *add(struct load *l, int fd, enum role role, uint32_t events)
{
    if (l->conn_count == CONNS_MAX) {
        die("more than %u connections", CONNS_MAX);
    }
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct conn *c = pool_heap_zalloc(sizeof *c);
    c->fd = fd;
    c->role = role;
    c->wants_out = (events & EPOLLOUT) != 0;
    l->conns[l->conn_count++] = c;
    watch(l, fd, c, events, EPOLL_CTL_ADD);
    return c;
}

struct conn *wire_dial(struct load *l, enum role role, const struct sockaddr_in *to)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 ||
        (connect(fd, (const struct sockaddr *)to, sizeof *to) < 0 && errno != EINPROGRESS)) {
        die("connect: %s", strerror(errno));
    }
    struct conn *c = add(l, fd, role, EPOLLIN | EPOLLOUT);
    c->step = STEP_CONNECT;
    return c;
}

static void want_out(const struct load *l, struct conn *c, bool wanted)
{
    if (c->wants_out != wanted) {
        c->wants_out = wanted;
        watch(l, c->fd, c, (uint32_t)EPOLLIN | (wanted ? (uint32_t)EPOLLOUT : 0u), EPOLL_CTL_MOD);
    }
}

static void handshake(struct load *l, struct conn *c)
{
    int done = SSL_do_handshake(c->ssl);
    if (done != 1) {
        int why = SSL_get_error(c->ssl, done);
        if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) {
            die("TLS handshake: %s", ERR_error_string(ERR_get_error(), NULL));
        }
        return;
    }
    (void)snprintf(l->tls, sizeof l->tls, "%s %s", SSL_get_version(c->ssl), SSL_get_cipher(c->ssl));
    talk_secured(l, c);
}

void wire_start_tls(struct load *l, struct conn *c, const char *server_name)
{
    bool dialled = c->role == ROLE_DIALLED || c->role == ROLE_PHONE;
    c->ssl = SSL_new(dialled ? l->client : l->server);
    if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1) {
        die("SSL_new");
    }
    if (dialled) {
        SSL_set_connect_state(c->ssl);
        (void)SSL_set_tlsext_host_name(c->ssl, server_name);
    } else {
        SSL_set_accept_state(c->ssl);
    }
    c->in_len = 0;
    memset(&c->scan, 0, sizeof c->scan);
    c->step = STEP_TLS;
    handshake(l, c);
}

void wire_printf(struct load *l, struct conn *c, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(c->out + c->out_len, OUT_BYTES - c->out_len, fmt, args);
    va_end(args);
    if (len < 0 || (size_t)len >= OUT_BYTES - c->out_len) {
        die("no room for an answer: the server does not read");
    }
    c->out_len += (size_t)len;
    if (!c->corked) {
        wire_flush(l, c);
    }
}

/* Bytes written, 0 = not now. */
static size_t write_some(struct conn *c, const char *from, size_t len)
{
    if (!c->ssl) {
        ssize_t n = send(c->fd, from, len, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EPIPE && errno != ECONNRESET) {
            die("send: %s", strerror(errno));
        }
        return n < 0 ? 0 : (size_t)n;
    }
    size_t n = 0;
    if (SSL_write_ex(c->ssl, from, len, &n) != 1) {
        int why = SSL_get_error(c->ssl, 0);
        if (c->step != STEP_ENDED && why != SSL_ERROR_WANT_WRITE && why != SSL_ERROR_WANT_READ) {
            if (errno == EPIPE || errno == ECONNRESET) {
                return 0; /* its end is read next */
            }
            die("SSL_write: %d, %s", why, strerror(errno));
        }
        return 0;
    }
    return n;
}

void wire_flush(struct load *l, struct conn *c)
{
    while (c->out_at < c->out_len) {
        size_t n = write_some(c, c->out + c->out_at, c->out_len - c->out_at);
        if (n == 0) {
            want_out(l, c, true);
            return;
        }
        c->out_at += n;
    }
    c->out_at = 0;
    c->out_len = 0;
    want_out(l, c, false);
}

void wire_drop(struct conn *c)
{
    c->step = STEP_ENDED;
    watch_ended(c);
    (void)shutdown(c->fd, SHUT_RDWR); /* the end comes as an event */
}

static void remove_conn(struct load *l, struct conn *c)
{
    for (unsigned i = 0; i < l->conn_count; i++) {
        if (l->conns[i] == c) {
            l->conns[i] = l->conns[--l->conn_count];
            break;
        }
    }
    SSL_free(c->ssl);
    (void)close(c->fd);
    pool_heap_free(c);
}

void wire_finish(struct load *l, struct conn *c)
{
    if (c->ssl) {
        (void)SSL_shutdown(c->ssl);
    }
    (void)shutdown(c->fd, SHUT_WR);
    want_out(l, c, false);
}

/* The connection has ended; who needed it finds that out. */
static void ended(struct conn *c)
{
    watch_ended(c);
    c->gone = true;
}

/* Bytes read, 0 = nothing more now. */
static size_t read_some(struct conn *c)
{
    char *to = c->in + c->in_len;
    size_t room = IN_BYTES - c->in_len;
    if (room == 0) {
        die("an element of more than %u bytes", IN_BYTES);
    }
    if (!c->ssl) {
        ssize_t n = recv(c->fd, to, room, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN)) {
            ended(c);
        }
        return n < 0 ? 0 : (size_t)n;
    }
    size_t n = 0;
    if (SSL_read_ex(c->ssl, to, room, &n) != 1) {
        int why = SSL_get_error(c->ssl, 0);
        if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) {
            ERR_clear_error();
            ended(c);
        }
        return 0;
    }
    return n;
}

static void readable(struct load *l, struct conn *c)
{
    for (;;) {
        if (c->step == STEP_TLS) {
            handshake(l, c);
            if (c->step == STEP_TLS) {
                return;
            }
        }
        size_t n = read_some(c);
        if (n == 0) {
            return;
        }
        c->in_len += n;
        talk_received(l, c);
    }
}

static void writable(struct load *l, struct conn *c)
{
    if (c->step == STEP_CONNECT) {
        int failed = 0;
        socklen_t len = sizeof failed;
        (void)getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &failed, &len);
        if (failed) {
            die("connect: %s", strerror(failed));
        }
        want_out(l, c, false);
        talk_connected(l, c);
        return;
    }
    if (c->step == STEP_TLS) {
        want_out(l, c, false);
        readable(l, c);
        return;
    }
    wire_flush(l, c);
}

static void accept_all(struct load *l, int listener, enum role role)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct conn *c = add(l, fd, role, EPOLLIN);
        talk_connected(l, c);
        /* A handshake that ended here may have read data behind its last message. */
        readable(l, c);
    }
}

void wire_turn(struct load *l, int wait_ms)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(l->epoll, events, EVENTS_MAX, wait_ms);
    for (int i = 0; i < count; i++) {
        struct conn *c = events[i].data.ptr;
        if (events[i].data.ptr == &l->listener || events[i].data.ptr == &l->sip_listener) {
            bool is_sip = events[i].data.ptr == &l->sip_listener;
            accept_all(l, is_sip ? l->sip_listener : l->listener,
                       is_sip ? ROLE_POOL : ROLE_ACCEPTED);
            continue;
        }
        if (events[i].events & EPOLLOUT) {
            writable(l, c);
        }
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
            readable(l, c);
        }
        if (c->gone) {
            remove_conn(l, c); /* only one event of a turn is its own */
        }
    }
}
