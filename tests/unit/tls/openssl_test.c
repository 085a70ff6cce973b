/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A foreign implementation as the peer: openssl s_client and s_server on 127.0.0.1. */
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

#include "base/err.h"
#include "pair.h"
#include "tls/tls_int.h"

static const char *const backends[] = {"wolfssl", "mbedtls"};

/* The openssl process, its standard input and output, and our end of the connection. */
struct peer {
    pid_t pid;
    int to;   /* its stdin */
    int from; /* its stdout and stderr */
    int sock; /* to it */
    struct sockaddr_in addr; /* of s_server */
    struct pair_end end;
    struct buf said; /* what it printed */
};

static int64_t now_ms(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void spawn(struct peer *p, const char *command)
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

static void end_start(struct peer *p, enum tls_role role, const char *alpn, bool may_resume)
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

static void end_init(struct peer *p, const char *backend, enum tls_role role, const char *alpn)
{
    p->end.ctx = pair_context(backend, "good,rsa", "trust");
    end_start(p, role, alpn, false);
}

static void wait_for_client(struct peer *p, const char *options)
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
static void start_client(struct peer *p, const char *backend, const char *alpn,
                         const char *options)
{
    *p = (struct peer){0};
    wait_for_client(p, options);
    end_init(p, backend, TLS_ROLE_SERVER, alpn);
}

static void go_to_server(struct peer *p)
{
    p->sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(p->sock, (struct sockaddr *)&p->addr, sizeof(p->addr)), 0);
}

/* s_server listens on a port that it picks and prints. */
static void spawn_server(struct peer *p, const char *options)
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
    go_to_server(p);
}

static void start_server(struct peer *p, const char *backend, const char *alpn,
                         const char *options)
{
    *p = (struct peer){0};
    spawn_server(p, options);
    end_init(p, backend, TLS_ROLE_CLIENT, alpn);
}

static void stop_process(struct peer *p)
{
    (void)kill(p->pid, SIGTERM);
    int status;
    cr_assert_eq(waitpid(p->pid, &status, 0), p->pid);
    (void)close(p->to);
    (void)close(p->from);
    buf_deinit(&p->said);
}

static void stop_session(struct peer *p)
{
    (void)close(p->sock);
    tls_session_free(p->end.session);
    buf_deinit(&p->end.in);
    buf_deinit(&p->end.out);
    buf_deinit(&p->end.plain);
}

static void stop(struct peer *p)
{
    stop_process(p);
    stop_session(p);
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

static bool has(const struct buf *b, const char *text)
{
    struct slice s = buf_slice(b);
    return s.len > 0 && memmem(s.ptr, s.len, text, strlen(text)) != NULL;
}

/* Moves bytes until done(p) or the connection or patience is over. */
static bool pump(struct peer *p, bool (*done)(const struct peer *p))
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

static bool shaken(const struct peer *p)
{
    return p->end.step != TLS_STEP_MORE;
}

static bool got_line(const struct peer *p)
{
    return has(&p->end.plain, "\n") || p->end.err != 0;
}

static bool said_answer(const struct peer *p)
{
    return has(&p->said, "answer-of-the-server");
}

static void say(struct peer *p, const char *text)
{
    cr_assert_eq(write(p->to, text, strlen(text)), (ssize_t)strlen(text));
}

#define GOOD_CERT "-cert " TLS_CERTS "/good.crt -key " TLS_CERTS "/good.key "

Test(tls_openssl, s_client_over_every_version_and_suite, .timeout = 60)
{
    static const struct {
        const char *options;
        const char *cipher;
        bool with_mbedtls;
    } cases[] = {
        {"-tls1_3 -ciphersuites TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256", false},
        {"-tls1_3 -ciphersuites TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384", false},
        {"-tls1_3 -curves X448:P-521:P-384 -ciphersuites TLS_CHACHA20_POLY1305_SHA256",
         "TLS_CHACHA20_POLY1305_SHA256", false},
        {"-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256",
         "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", true},
        {"-tls1_2 -cipher ECDHE-ECDSA-AES256-GCM-SHA384",
         "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", true},
        {"-tls1_2 -cipher ECDHE-ECDSA-CHACHA20-POLY1305",
         "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", true},
        {"-tls1_2 -servername rsa.test -cipher ECDHE-RSA-AES128-GCM-SHA256",
         "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", true},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases) * 2; i++) {
        size_t at = i >> 1;
        if ((i & 1u) && !cases[at].with_mbedtls) {
            continue;
        }
        char options[512];
        struct peer p;
        (void)snprintf(options, sizeof(options),
                       "-quiet -nocommands -alpn xmpp-server " GOOD_CERT "%s", cases[at].options);
        start_client(&p, backends[i & 1u], "xmpp-server", options);
        cr_assert(pump(&p, shaken) && p.end.step == TLS_STEP_DONE, "%s, %s: %s", backends[i & 1u],
                  cases[at].options, tls_session_error(p.end.session)->text);
        const struct tls_peer *peer = tls_session_peer(p.end.session);
        cr_expect_eq(peer->chain, TLS_CHAIN_OK);
        cr_expect_str_eq(peer->cipher, cases[at].cipher);
        cr_expect_str_eq(peer->alpn, "xmpp-server");
        say(&p, "question\n");
        cr_expect(pump(&p, got_line) && has(&p.end.plain, "question\n"));
        cr_assert_eq(tls_session_seal(p.end.session, SLICE_LIT("answer-of-the-server\n"),
                                      &p.end.out),
                     0);
        cr_expect(pump(&p, said_answer), "%.*s", SLICE_FMT(buf_slice(&p.said)));
        stop(&p);
    }
}

Test(tls_openssl, old_and_weak_is_refused, .timeout = 60)
{
    static const char *const options[] = {
        "-tls1_1 -cipher ALL:@SECLEVEL=0",
        "-tls1_2 -cipher AES128-GCM-SHA256 -servername rsa.test",
        "-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA256",
        "-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA",
        "-tls1_2 -cipher ECDHE-ECDSA-AES128-CCM8",
        "-tls1_2 -cipher aNULL:@SECLEVEL=0",
        "-tls1_2 -sigalgs RSA+SHA1 -cipher ALL:@SECLEVEL=0 -servername rsa.test",
        "-tls1_2 -curves P-224 -cipher ALL:@SECLEVEL=0 -servername rsa.test",
        "-alpn h2",
    };
    for (size_t i = 0; i < ARRAY_COUNT(options) * 2; i++) {
        struct peer p;
        start_client(&p, backends[i & 1u], "xmpp-server", options[i >> 1]);
        (void)pump(&p, shaken);
        cr_expect_eq(p.end.step, TLS_STEP_BAD, "%s: %s", backends[i & 1u], options[i >> 1]);
        cr_expect_gt(buf_len(&p.end.out), 0, "an alert: %s", options[i >> 1]);
        stop(&p);
    }
}

/* The one thing for which both libraries end the handshake themselves. */
Test(tls_openssl, an_unknown_critical_extension_in_the_leaf_ends_the_handshake, .timeout = 60)
{
    for (size_t b = 0; b < ARRAY_COUNT(backends); b++) {
        struct peer p;
        start_client(&p, backends[b], "",
                     "-quiet -cert " TLS_CERTS "/critical.crt -key " TLS_CERTS "/critical.key");
        cr_assert(pump(&p, shaken));
        cr_expect_eq(p.end.step, TLS_STEP_BAD);
        cr_expect_eq(tls_session_error(p.end.session)->err, ERR_TLS_CERTIFICATE, "%s: %s",
                     backends[b], tls_session_error(p.end.session)->text);
        stop(&p);
    }
}

Test(tls_openssl, s_server_over_both_versions, .timeout = 60)
{
    static const char *const options[] = {"-tls1_3 -num_tickets 5", "-tls1_2", "-tls1_2"};
    for (size_t i = 0; i < ARRAY_COUNT(options); i++) {
        const char *backend = backends[i == 2];
        char text[512];
        struct peer p;
        (void)snprintf(text, sizeof(text),
                       GOOD_CERT "-Verify 3 -verify_return_error -CAfile " TLS_CERTS
                                 "/trust.crt -alpn xmpp-server -rev %s",
                       options[i]);
        start_server(&p, backend, "xmpp-server", text);
        cr_assert(pump(&p, shaken) && p.end.step == TLS_STEP_DONE, "%s %s: %s", backend, options[i],
                  tls_session_error(p.end.session)->text);
        const struct tls_peer *peer = tls_session_peer(p.end.session);
        cr_expect_eq(peer->chain, TLS_CHAIN_OK);
        cr_expect_str_eq(peer->alpn, "xmpp-server");
        cr_assert_eq(tls_session_seal(p.end.session, SLICE_LIT("desrever\n"), &p.end.out), 0);
        cr_expect(pump(&p, got_line) && has(&p.end.plain, "reversed\n"), "%s", options[i]);
        stop(&p);
    }
}

static bool over(const struct peer *p)
{
    return p->end.err != 0;
}

Test(tls_openssl, a_refused_client_certificate_is_an_alert, .timeout = 60)
{
    for (size_t b = 0; b < ARRAY_COUNT(backends); b++) {
        struct peer p;
        start_server(&p, backends[b], "",
                     GOOD_CERT "-Verify 3 -verify_return_error -CAfile " TLS_CERTS
                               "/other.leaf.crt -rev");
        (void)pump(&p, over);
        const struct tls_error *error = tls_session_error(p.end.session);
        cr_expect_eq(error->err, ERR_TLS_ALERT, "%s: %s", backends[b], error->text);
        cr_expect(strstr(error->text, "unknown_ca (48)") != NULL, "%s", error->text);
        stop(&p);
    }
}

/* Its first record under new keys is awaited, or it is known that it could not be read. */
static bool updated(const struct peer *p)
{
    return p->end.err != 0 || p->end.session->sides[TLS_IN].keys.seq == 0;
}

/* K: it changes its keys and wants ours changed; k: its own only. */
Test(tls_openssl, key_updates_of_the_peer, .timeout = 60)
{
    static const char *const commands[] = {"K\n", "k\n"};
    bool has_secrets = tls_backend_has_secrets(tls_backend_find("wolfssl"));
    for (size_t i = 0; i < ARRAY_COUNT(commands) * 2; i++) {
        struct peer p;
        bool is_server = i & 1u;
        if (is_server) {
            start_client(&p, "wolfssl", "", "-tls1_3");
        } else {
            start_server(&p, "wolfssl", "", GOOD_CERT "-tls1_3");
        }
        cr_assert(pump(&p, shaken) && p.end.step == TLS_STEP_DONE);
        say(&p, "before\n");
        cr_expect(pump(&p, got_line));
        buf_clear(&p.end.plain);
        say(&p, commands[i >> 1]);
        cr_expect(pump(&p, updated), "a command has to come alone");
        say(&p, "after the update\n");
        if (has_secrets) {
            cr_expect(pump(&p, got_line) && has(&p.end.plain, "after the update\n"));
        } else {
            cr_expect_eq(p.end.err, ERR_TLS_REKEY);
            cr_expect_eq(buf_len(&p.end.plain), 0);
        }
        /* Either way we can still speak, under new keys if it asked for them. */
        cr_assert_eq(tls_session_seal(p.end.session, SLICE_LIT("answer-of-the-server\n"),
                                      &p.end.out),
                     0);
        p.end.err = 0;
        cr_expect(pump(&p, said_answer), "%.*s", SLICE_FMT(buf_slice(&p.said)));
        stop(&p);
    }
}

Test(tls_openssl, renegotiation_is_refused, .timeout = 60)
{
    struct peer p;
    for (size_t b = 0; b < ARRAY_COUNT(backends); b++) {
        start_client(&p, backends[b], "", "-tls1_2");
        cr_assert(pump(&p, shaken) && p.end.step == TLS_STEP_DONE);
        say(&p, "R\n");
        (void)pump(&p, over);
        /* We answer no_renegotiation, and OpenSSL then breaks off. */
        cr_expect_eq(p.end.err, ERR_TLS_ALERT, "%s: %s", backends[b], err_name(p.end.err));
        stop(&p);
    }
}

Test(tls_openssl, padding_and_small_records, .timeout = 60)
{
    static const char *const options[] = {
        "-tls1_3 -record_padding 512", "-tls1_3 -record_padding 16384 -max_send_frag 512",
        "-tls1_3 -num_tickets 9", "-tls1_2 -max_send_frag 512"};
    for (size_t i = 0; i < ARRAY_COUNT(options); i++) {
        for (size_t b = i == 3 ? 0 : 1; b < ARRAY_COUNT(backends); b++) {
            char text[512];
            struct peer p;
            (void)snprintf(text, sizeof(text), GOOD_CERT "-rev %s", options[i]);
            start_server(&p, backends[i == 3 ? b : 0], "", text);
            cr_assert(pump(&p, shaken) && p.end.step == TLS_STEP_DONE);
            char line[3001];
            memset(line, 'a', sizeof(line));
            line[0] = 'z';
            line[3000] = '\n';
            for (int round = 0; round < 3; round++) {
                cr_assert_eq(tls_session_seal(p.end.session, slice_make(line, sizeof(line)),
                                              &p.end.out),
                             0);
                cr_expect(pump(&p, got_line) && p.end.err == 0);
                cr_expect_eq(buf_len(&p.end.plain), sizeof(line), "%s", options[i]);
                cr_expect(has(&p.end.plain, "az\n"), "%s", options[i]);
                buf_clear(&p.end.plain);
            }
            stop(&p);
        }
    }
}

static struct tls_context *context_with_tickets(const char *backend)
{
    struct tls_credential credential = {.certificate_path = TLS_CERTS "/good.crt",
                                        .key_path = TLS_CERTS "/good.key"};
    struct tls_context_params params = {
        .credentials = &credential, .credential_count = 1, .trust_path = TLS_CERTS "/trust.crt",
        .has_tickets = true};
    struct tls_context *ctx;
    struct tls_error why;
    cr_assert_eq(tls_context_new(&ctx, tls_backend_find(backend), &params, &why), 0, "%s",
                 why.text);
    return ctx;
}

Test(tls_openssl, s_server_is_resumed, .timeout = 60)
{
    static const char *const options[] = {"-tls1_3", "-tls1_2"}; /* by backend */
    for (size_t b = 0; b < ARRAY_COUNT(backends); b++) {
        char text[512];
        struct peer p = {0};
        (void)snprintf(text, sizeof(text),
                       GOOD_CERT "-Verify 3 -verify_return_error -CAfile " TLS_CERTS
                                 "/trust.crt -alpn xmpp-server -rev %s",
                       options[b]);
        p.end.ctx = context_with_tickets(backends[b]);
        spawn_server(&p, text);
        for (int round = 0; round < 4; round++) {
            if (round > 0) {
                go_to_server(&p);
            }
            end_start(&p, TLS_ROLE_CLIENT, "xmpp-server", round < 3);
            cr_assert(pump(&p, shaken) && p.end.step == TLS_STEP_DONE, "%s: %s", backends[b],
                      tls_session_error(p.end.session)->text);
            cr_assert_eq(tls_session_seal(p.end.session, SLICE_LIT("desrever\n"), &p.end.out), 0);
            cr_expect(pump(&p, got_line) && has(&p.end.plain, "reversed\n"));
            const struct tls_peer *peer = tls_session_peer(p.end.session);
            cr_expect_eq(peer->is_resumed, round == 1 || round == 2, "%s, %d", backends[b], round);
            cr_expect_eq(peer->chain, TLS_CHAIN_OK);
            cr_expect_str_eq(peer->subject, "CN=good");
            cr_expect_eq(tls_session_path(p.end.session, TLS_IN), TLS_PATH_USER);
            stop_session(&p);
        }
        stop_process(&p);
        tls_context_unref(p.end.ctx);
    }
}

Test(tls_openssl, s_client_resumes, .timeout = 60)
{
    static const struct {
        const char *options;
        bool is_mbedtls;
        bool is_resumed; /* the second one */
        const char *second;
    } cases[] = {
        {"-tls1_3", false, true, "-servername fabrikam.test"},
        {"-tls1_2", false, true, "-servername fabrikam.test"},
        {"-tls1_2", true, true, "-servername fabrikam.test"},
        {"-tls1_3", false, false, "-servername contoso.test"},
        {"-tls1_2", false, false, "-servername contoso.test"},
        {"-tls1_2", true, false, "-servername contoso.test"},
    };
    char path[64];
    (void)snprintf(path, sizeof(path), "/tmp/fedgate-session-%d", (int)getpid());
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const char *backend = backends[cases[i].is_mbedtls];
        struct peer p = {0};
        p.end.ctx = context_with_tickets(backend);
        for (int round = 0; round < 2; round++) {
            char options[512];
            (void)snprintf(options, sizeof(options),
                           "-quiet -nocommands " GOOD_CERT "%s %s -sess_%s %s", cases[i].options,
                           round ? cases[i].second : "-servername fabrikam.test",
                           round ? "in" : "out", path);
            wait_for_client(&p, options);
            end_start(&p, TLS_ROLE_SERVER, "", false);
            cr_assert(pump(&p, shaken) && p.end.step == TLS_STEP_DONE, "case %zu: %s", i,
                      tls_session_error(p.end.session)->text);
            say(&p, "question\n");
            cr_expect(pump(&p, got_line) && has(&p.end.plain, "question\n"));
            cr_assert_eq(tls_session_seal(p.end.session, SLICE_LIT("answer-of-the-server\n"),
                                          &p.end.out),
                         0);
            cr_expect(pump(&p, said_answer)); /* it has read its ticket by then */
            const struct tls_peer *peer = tls_session_peer(p.end.session);
            cr_expect_eq(peer->is_resumed, round == 1 && cases[i].is_resumed, "case %zu, %d", i,
                         round);
            cr_expect_eq(peer->chain, TLS_CHAIN_OK);
            cr_expect_str_eq(peer->subject, "CN=good");
            stop_process(&p);
            stop_session(&p);
        }
        tls_context_unref(p.end.ctx);
        (void)unlink(path);
    }
}
