/* SPDX-License-Identifier: GPL-2.0-or-later */
/* openssl_peer: see openssl_peer.h. */
#include "openssl_peer.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void spawn(struct openssl_peer *p, const char *command)
{
    int in[2];
    int out[2];
    cr_assert_eq(pipe2(in, O_CLOEXEC), 0);
    cr_assert_eq(pipe2(out, O_CLOEXEC), 0);
    p->pid = fork();
    cr_assert_geq(p->pid, 0);
    if (p->pid == 0) {
        (void)dup2(in[0], 0);
        (void)dup2(out[1], 1);
        (void)dup2(out[1], 2);
        (void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    (void)close(in[0]);
    (void)close(out[1]);
    p->to = in[1];
    p->from = out[0];
    buf_init(&p->said, PAIR_BYTES_MAX);
}

void openssl_end_start(struct openssl_peer *p, enum tls_role role, const char *alpn,
                       bool may_resume)
{
    buf_init(&p->end.in, PAIR_BYTES_MAX);
    buf_init(&p->end.out, PAIR_BYTES_MAX);
    buf_init(&p->end.plain, PAIR_BYTES_MAX);
    struct tls_session_params params = {
        .role = role,
        .sni = role == TLS_ROLE_CLIENT ? SLICE_LIT("fabrikam.test") : SLICE_NONE,
        .alpn = slice_from_cstr(alpn),
        .credential_idx = UINT32_MAX,
        .may_resume = may_resume,
    };
    cr_assert_eq(tls_session_new(&p->end.session, p->end.ctx, &params), 0);
    p->end.step = TLS_STEP_MORE;
    p->end.err = 0;
}

static void end_init(struct openssl_peer *p, const char *backend, enum tls_role role,
                     const char *alpn)
{
    p->end.ctx = pair_context(backend, "good,rsa", "trust");
    openssl_end_start(p, role, alpn, false);
}

void openssl_wait_for_client(struct openssl_peer *p, const char *options)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(addr);
    cr_assert_eq(bind(listener, (struct sockaddr *)&addr, len), 0);
    cr_assert_eq(listen(listener, 1), 0);
    cr_assert_eq(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
    char command[1024];
    (void)snprintf(command, sizeof(command),
                   "exec openssl s_client -connect 127.0.0.1:%d -CAfile %s/trust.crt "
                   "-verify_return_error %s",
                   ntohs(addr.sin_port), TLS_CERTS, options);
    spawn(p, command);
    p->sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    cr_assert_geq(p->sock, 0);
    (void)close(listener);
}

/* We listen, s_client comes. */
void openssl_start_client(struct openssl_peer *p, const char *backend, const char *alpn,
                          const char *options)
{
    *p = (struct openssl_peer){0};
    openssl_wait_for_client(p, options);
    end_init(p, backend, TLS_ROLE_SERVER, alpn);
}

void openssl_go_to_server(struct openssl_peer *p)
{
    p->sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(p->sock, (struct sockaddr *)&p->addr, sizeof(p->addr)), 0);
}

/* s_server listens on a port that it picks and prints. */
void openssl_spawn_server(struct openssl_peer *p, const char *options)
{
    char command[1024];
    (void)snprintf(command, sizeof(command), "exec openssl s_server -accept 127.0.0.1:0 %s",
                   options);
    spawn(p, command);
    char line[4096];
    size_t len = 0;
    const char *at = NULL;
    while (!at || !strchr(at, '\n')) {
        cr_assert_lt(len, sizeof(line) - 1);
        ssize_t got = read(p->from, line + len, sizeof(line) - 1 - len);
        cr_assert_gt(got, 0, "%s", line);
        len += (size_t)got;
        line[len] = '\0';
        at = strstr(line, "ACCEPT 127.0.0.1:");
    }
    p->addr = (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_addr = {htonl(INADDR_LOOPBACK)},
        .sin_port = htons((uint16_t)strtoul(at + strlen("ACCEPT 127.0.0.1:"), NULL, 10)),
    };
    openssl_go_to_server(p);
}

void openssl_start_server(struct openssl_peer *p, const char *backend, const char *alpn,
                          const char *options)
{
    *p = (struct openssl_peer){0};
    openssl_spawn_server(p, options);
    end_init(p, backend, TLS_ROLE_CLIENT, alpn);
}

void openssl_stop_process(struct openssl_peer *p)
{
    (void)kill(p->pid, SIGTERM);
    int status;
    cr_assert_eq(waitpid(p->pid, &status, 0), p->pid);
    (void)close(p->to);
    (void)close(p->from);
    buf_deinit(&p->said);
}

void openssl_stop_session(struct openssl_peer *p)
{
    (void)close(p->sock);
    tls_session_free(p->end.session);
    buf_deinit(&p->end.in);
    buf_deinit(&p->end.out);
    buf_deinit(&p->end.plain);
}

void openssl_stop(struct openssl_peer *p)
{
    openssl_stop_process(p);
    openssl_stop_session(p);
    tls_context_unref(p->end.ctx);
}

static void use_input(struct pair_end *e)
{
    size_t used;
    if (e->step == TLS_STEP_MORE) {
        e->step = tls_session_handshake(e->session, buf_slice(&e->in), &used, &e->out);
        buf_consume(&e->in, used);
    }
    if (e->step == TLS_STEP_DONE && e->err == 0) {
        e->err = pair_open(e, &used);
    }
}

bool openssl_has(const struct buf *b, const char *text)
{
    struct slice s = buf_slice(b);
    return s.len > 0 && memmem(s.ptr, s.len, text, strlen(text)) != NULL;
}

/* Moves bytes until done(p) or the connection or patience is over. */
bool openssl_pump(struct openssl_peer *p, bool (*done)(const struct openssl_peer *p))
{
    int64_t deadline = now_ms() + 15000;
    use_input(&p->end);
    while (!done(p)) {
        struct slice out = buf_slice(&p->end.out);
        if (out.len > 0) {
            ssize_t put = send(p->sock, out.ptr, out.len, MSG_NOSIGNAL);
            buf_consume(&p->end.out, put > 0 ? (size_t)put : out.len);
        }
        struct pollfd fds[] = {{p->sock, POLLIN, 0}, {p->from, POLLIN, 0}};
        int64_t left = deadline - now_ms();
        if (left <= 0 || poll(fds, 2, (int)left) <= 0) {
            return false;
        }
        char bytes[4096];
        if (fds[1].revents) {
            ssize_t got = read(p->from, bytes, sizeof(bytes));
            buf_append(&p->said, bytes, got > 0 ? (size_t)got : 0);
            if (got <= 0 && !fds[0].revents) {
                return done(p);
            }
        }
        if (fds[0].revents) {
            ssize_t got = recv(p->sock, bytes, sizeof(bytes), 0);
            if (got <= 0) {
                return done(p);
            }
            buf_append(&p->end.in, bytes, (size_t)got);
            use_input(&p->end);
        }
    }
    return true;
}

bool openssl_shaken(const struct openssl_peer *p)
{
    return p->end.step != TLS_STEP_MORE;
}

bool openssl_got_line(const struct openssl_peer *p)
{
    return openssl_has(&p->end.plain, "\n") || p->end.err != 0;
}

bool openssl_said_answer(const struct openssl_peer *p)
{
    return openssl_has(&p->said, "answer-of-the-server");
}

void openssl_say(struct openssl_peer *p, const char *text)
{
    cr_assert_eq(write(p->to, text, strlen(text)), (ssize_t)strlen(text));
}
