/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One context, several threads: sessions made, used and freed at the same time. A program of its
 * own without Criterion, whose process sandbox does not start under ThreadSanitizer. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/pool.h"
#include "tls/tls.h"

#define THREADS 4
#define ROUNDS  12

struct job {
    struct tls_context *client;
    struct tls_context *server;
    const struct crypto *crypto;
    unsigned done;
};

struct side {
    struct tls_session *session;
    struct buf out;
    struct buf in;
};

static enum tls_step step(struct side *me, struct side *other)
{
    size_t used;
    enum tls_step result = tls_session_handshake(me->session, buf_slice(&me->in), &used, &me->out);
    buf_consume(&me->in, used);
    buf_put(&other->in, buf_slice(&me->out));
    buf_clear(&me->out);
    return result;
}

/* A connection may move to another thread with its session: the rest of it happens there. */
struct moved {
    struct side *c;
    struct side *s;
    bool ok;
};

static void *talk(void *arg)
{
    struct moved *m = arg;
    struct buf *wire = &m->c->out;
    struct slice plain;
    size_t used;
    m->ok = tls_session_peer(m->c->session)->chain == TLS_CHAIN_OK &&
            tls_session_peer(m->s->session)->chain == TLS_CHAIN_OK &&
            tls_session_seal(m->c->session, SLICE_LIT("across"), &m->c->out) == 0 &&
            tls_session_open(m->s->session, wire->data + wire->head, buf_len(wire), &used, &plain,
                             &m->s->out) == 0 &&
            slice_eq_cstr(plain, "across");
    tls_session_free(m->c->session);
    tls_session_free(m->s->session);
    buf_deinit(&m->c->out);
    buf_deinit(&m->c->in);
    buf_deinit(&m->s->out);
    buf_deinit(&m->s->in);
    return NULL;
}

static bool run_one(struct job *job, unsigned round)
{
    static const char *const names[] = {"fabrikam.test", "rsa.test", "contoso.test"};
    struct side c = {0};
    struct side s = {0};
    buf_init(&c.out, 1u << 20);
    buf_init(&c.in, 1u << 20);
    buf_init(&s.out, 1u << 20);
    buf_init(&s.in, 1u << 20);
    struct tls_session_params params = {
        .role = TLS_ROLE_CLIENT,
        .sni = slice_from_cstr(names[round % 3]),
        .alpn = SLICE_LIT("xmpp-server"),
        .credential_idx = UINT32_MAX,
        .may_resume = true,
    };
    bool ok = tls_session_new(&c.session, job->client, &params) == 0;
    params.role = TLS_ROLE_SERVER;
    ok = ok && tls_session_new(&s.session, job->server, &params) == 0;
    enum tls_step client = TLS_STEP_MORE;
    enum tls_step server = TLS_STEP_MORE;
    for (int i = 0; ok && i < 10 && (client == TLS_STEP_MORE || server == TLS_STEP_MORE); i++) {
        client = step(&c, &s);
        server = step(&s, &c);
    }
    if (!ok || client != TLS_STEP_DONE || server != TLS_STEP_DONE) {
        return false;
    }
    struct moved moved = {&c, &s, false};
    pthread_t thread;
    if (round % 2 == 0 && pthread_create(&thread, NULL, talk, &moved) == 0) {
        (void)pthread_join(thread, NULL);
    } else {
        (void)talk(&moved);
    }
    return moved.ok;
}

static void *run(void *arg)
{
    struct job *job = arg;
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned char random[40];
        job->crypto->random(random, sizeof(random));
        if (!run_one(job, i)) {
            break;
        }
        job->done++;
    }
    pool_trim();
    return NULL;
}

static struct tls_context *context(const char *backend, const struct tls_credential *credentials,
                                   uint32_t count)
{
    struct tls_context_params params = {
        .credentials = credentials,
        .credential_count = count,
        .trust_path = TLS_CERTS "/trust.crt",
        .has_tickets = true,
    };
    struct tls_context *ctx;
    struct tls_error why;
    if (tls_context_new(&ctx, tls_backend_find(backend), &params, &why) != 0) {
        (void)fprintf(stderr, "%s\n", why.text);
        exit(1);
    }
    return ctx;
}

static bool race(const char *client, const char *server)
{
    static const struct tls_credential credentials[] = {
        {TLS_CERTS "/good.crt", TLS_CERTS "/good.key", {NULL, 0}},
        {TLS_CERTS "/rsa.crt", TLS_CERTS "/rsa.key", {NULL, 0}},
        {TLS_CERTS "/second.crt", TLS_CERTS "/second.key", {NULL, 0}},
    };
    struct tls_context *client_ctx = context(client, credentials, 2);
    struct tls_context *server_ctx = context(server, credentials, 3);
    pthread_t threads[THREADS];
    struct job jobs[THREADS];
    bool ok = true;
    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (struct job){client_ctx, server_ctx,
                               tls_backend_crypto(tls_backend_find(server)), 0};
        if (pthread_create(&threads[i], NULL, run, &jobs[i]) != 0) {
            exit(1);
        }
    }
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
        ok = ok && jobs[i].done == ROUNDS;
        (void)printf("tls_threads: %s -> %s, thread %d: %u of %d sessions\n", client, server, i,
                     jobs[i].done, ROUNDS);
    }
    tls_context_unref(client_ctx);
    tls_context_unref(server_ctx);
    return ok;
}

int main(void)
{
    int passed = race("wolfssl", "wolfssl");
    passed += race("mbedtls", "mbedtls");
    passed += race("wolfssl", "mbedtls");
    /* In the form that tests/run counts. */
    (void)printf("[====] Synthesis: Tested: 3 | Passing: %d | Failing: %d | Crashing: 0\n", passed,
                 3 - passed);
    return passed == 3 ? 0 : 1;
}
