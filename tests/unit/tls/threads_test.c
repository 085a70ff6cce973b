/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One context, several threads: sessions made, used and freed at the same time (also under TSan).
 * No Criterion assertions in the threads: they report through their result. */
#include <criterion/criterion.h>
#include <pthread.h>

#include "base/pool.h"
#include "pair.h"

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
    ok = ok && client == TLS_STEP_DONE && server == TLS_STEP_DONE &&
         tls_session_peer(c.session)->chain == TLS_CHAIN_OK &&
         tls_session_peer(s.session)->chain == TLS_CHAIN_OK;
    struct buf plain;
    size_t used;
    buf_init(&plain, 1u << 20);
    ok = ok && tls_session_seal(c.session, SLICE_LIT("across"), &c.out) == 0 &&
         tls_session_open(s.session, buf_slice(&c.out), &used, &plain, &s.out) == 0 &&
         slice_eq_cstr(buf_slice(&plain), "across");
    tls_session_free(c.session);
    tls_session_free(s.session);
    buf_deinit(&plain);
    buf_deinit(&c.out);
    buf_deinit(&c.in);
    buf_deinit(&s.out);
    buf_deinit(&s.in);
    return ok;
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

static void race(const char *client, const char *server)
{
    struct tls_context *client_ctx = pair_context(client, "rsa,good", "trust");
    struct tls_context *server_ctx = pair_context(server, "good,rsa,second", "trust");
    pthread_t threads[THREADS];
    struct job jobs[THREADS];
    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (struct job){client_ctx, server_ctx,
                               tls_backend_crypto(tls_backend_find(server)), 0};
        cr_assert_eq(pthread_create(&threads[i], NULL, run, &jobs[i]), 0);
    }
    /* The sessions keep the contexts alive. */
    for (int i = 0; i < THREADS; i++) {
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
        cr_expect_eq(jobs[i].done, ROUNDS, "%s -> %s: thread %d did %u", client, server, i,
                     jobs[i].done);
    }
    tls_context_unref(client_ctx);
    tls_context_unref(server_ctx);
}

Test(tls_threads, wolfssl, .timeout = 100)
{
    race("wolfssl", "wolfssl");
}

Test(tls_threads, mbedtls, .timeout = 100)
{
    race("mbedtls", "mbedtls");
}

Test(tls_threads, both, .timeout = 100)
{
    race("wolfssl", "mbedtls");
}
