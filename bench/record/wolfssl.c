/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record_bench: wolfSSL_write and wolfSSL_read. */
#include <wolfssl/options.h>

#include <stdlib.h>
#include <wolfssl/ssl.h>

#include "bench.h"

struct bench_pair {
    WOLFSSL_CTX *ctx[2]; /* client, server */
    WOLFSSL *ssl[2];
    struct window window[2]; /* by the end that writes */
    char text[BENCH_TEXT_MAX + 512];
};

static int on_read(WOLFSSL *ssl, char *to, int room, void *ctx)
{
    (void)ssl;
    size_t len = window_take(ctx, to, (size_t)room);
    return len > 0 ? (int)len : WOLFSSL_CBIO_ERR_WANT_READ;
}

static int on_write(WOLFSSL *ssl, char *bytes, int len, void *ctx)
{
    (void)ssl;
    return window_put(ctx, bytes, (size_t)len) ? len : WOLFSSL_CBIO_ERR_GENERAL;
}

static WOLFSSL_CTX *context(bool is_server)
{
    WOLFSSL_CTX *ctx =
        wolfSSL_CTX_new(is_server ? wolfTLSv1_3_server_method() : wolfTLSv1_3_client_method());
    bool ok = ctx && wolfSSL_CTX_set_cipher_list(ctx, "TLS13-AES128-GCM-SHA256") == 1;
    wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_NONE, NULL);
    wolfSSL_CTX_SetIORecv(ctx, on_read);
    wolfSSL_CTX_SetIOSend(ctx, on_write);
    if (ok && is_server) {
        const struct bench_credential *c = bench_credential();
        ok = wolfSSL_CTX_use_certificate_buffer(ctx, (const unsigned char *)c->certificate,
                                                (long)strlen(c->certificate),
                                                WOLFSSL_FILETYPE_PEM) == 1 &&
             wolfSSL_CTX_use_PrivateKey_buffer(ctx, (const unsigned char *)c->key,
                                               (long)strlen(c->key), WOLFSSL_FILETYPE_PEM) == 1 &&
             wolfSSL_CTX_no_ticket_TLSv13(ctx) == 0;
    }
    if (!ok) {
        bench_die("no wolfSSL context");
    }
    return ctx;
}

static struct bench_pair *make(void)
{
    struct bench_pair *p = calloc(1, sizeof(*p));
    if (!p || wolfSSL_Init() != 1) {
        bench_die("no wolfSSL");
    }
    for (int end = 0; end < 2; end++) {
        p->ctx[end] = context(end == 1);
        p->ssl[end] = wolfSSL_new(p->ctx[end]);
        if (!p->ssl[end]) {
            bench_die("no wolfSSL session");
        }
        wolfSSL_SetIOReadCtx(p->ssl[end], &p->window[!end]);
        wolfSSL_SetIOWriteCtx(p->ssl[end], &p->window[end]);
    }
    for (int i = 0; i < 5; i++) {
        (void)wolfSSL_connect(p->ssl[0]);
        (void)wolfSSL_accept(p->ssl[1]);
    }
    if (!wolfSSL_is_init_finished(p->ssl[0]) || !wolfSSL_is_init_finished(p->ssl[1])) {
        bench_die("wolfSSL did not shake hands");
    }
    return p;
}

static struct slice pass(struct bench_pair *p, struct slice text)
{
    if (wolfSSL_write(p->ssl[0], text.ptr, (int)text.len) != (int)text.len) {
        return SLICE_NONE;
    }
    int len = wolfSSL_read(p->ssl[1], p->text, sizeof(p->text));
    return slice_make(p->text, len > 0 ? (size_t)len : 0);
}

static void drop(struct bench_pair *p)
{
    for (int end = 0; end < 2; end++) {
        wolfSSL_free(p->ssl[end]);
        wolfSSL_CTX_free(p->ctx[end]);
    }
    free(p);
}

const struct contestant bench_wolfssl = {"wolfSSL", make, pass, drop};
