/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record_bench: OpenSSL, three ways: SSL_write and SSL_read through a BIO that is nothing but the
 * window; through its memory BIOs; and its cipher alone (EVP) under records as short as ours, which
 * says what a lean engine on libcrypto would cost.                                              */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "bench.h"

#define HEADER_BYTES 5
#define TAG_BYTES 16

struct bench_pair {
    SSL_CTX *ctx[2]; /* client, server */
    SSL *ssl[2];
    EVP_CIPHER_CTX *cipher[2]; /* seals, opens */
    struct window window[2];   /* by the end that writes */
    unsigned char nonce[12];
    unsigned char wire[BENCH_TEXT_MAX + 512];
    unsigned char text[BENCH_TEXT_MAX + 512];
};

const char *bench_openssl_version(void)
{
    return OpenSSL_version(OPENSSL_VERSION);
}

static void pem_out(BIO *from, char *to, size_t room)
{
    char *text;
    long len = BIO_get_mem_data(from, &text);
    if (len <= 0 || (size_t)len >= room) {
        bench_die("no PEM");
    }
    memcpy(to, text, (size_t)len);
    to[len] = '\0';
    BIO_free(from);
}

const struct bench_credential *bench_credential(void)
{
    static struct bench_credential credential;
    if (credential.key[0] != '\0') {
        return &credential;
    }
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    BIO *cert_pem = BIO_new(BIO_s_mem());
    BIO *key_pem = BIO_new(BIO_s_mem());
    X509_NAME *name = cert ? X509_get_subject_name(cert) : NULL;
    bool ok =
        key && name && cert_pem && key_pem && X509_set_version(cert, X509_VERSION_3) == 1 &&
        ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) == 1 &&
        X509_gmtime_adj(X509_getm_notBefore(cert), -3600) &&
        X509_gmtime_adj(X509_getm_notAfter(cert), 86400) &&
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"bench.test",
                                   -1, -1, 0) == 1 &&
        X509_set_issuer_name(cert, name) == 1 && X509_set_pubkey(cert, key) == 1 &&
        X509_sign(cert, key, EVP_sha256()) > 0 && PEM_write_bio_X509(cert_pem, cert) == 1 &&
        PEM_write_bio_PrivateKey(key_pem, key, NULL, NULL, 0, NULL, NULL) == 1;
    if (!ok) {
        bench_die("no certificate");
    }
    pem_out(cert_pem, credential.certificate, sizeof(credential.certificate));
    pem_out(key_pem, credential.key, sizeof(credential.key));
    X509_free(cert);
    EVP_PKEY_free(key);
    return &credential;
}

/* --- a BIO that is the window --- */

struct two_windows {
    struct window *in;
    struct window *out;
};

static int window_bio_write(BIO *bio, const char *bytes, int len)
{
    struct two_windows *w = BIO_get_data(bio);
    return window_put(w->out, bytes, (size_t)len) ? len : -1;
}

static int window_bio_read(BIO *bio, char *to, int room)
{
    struct two_windows *w = BIO_get_data(bio);
    size_t len = window_take(w->in, to, (size_t)room);
    BIO_clear_retry_flags(bio);
    if (len == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    return (int)len;
}

static long window_bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO *window_bio(struct window *in, struct window *out)
{
    static BIO_METHOD *method;
    if (!method) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "window");
        BIO_meth_set_write(method, window_bio_write);
        BIO_meth_set_read(method, window_bio_read);
        BIO_meth_set_ctrl(method, window_bio_ctrl);
    }
    struct two_windows *w = calloc(1, sizeof(*w));
    BIO *bio = BIO_new(method);
    if (!w || !bio) {
        bench_die("no BIO");
    }
    *w = (struct two_windows){in, out};
    BIO_set_data(bio, w);
    BIO_set_init(bio, 1);
    return bio;
}

/* --- connections --- */

static SSL_CTX *context(bool is_server)
{
    SSL_CTX *ctx = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
    if (!ctx || SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256") != 1 ||
        SSL_CTX_set_num_tickets(ctx, 0) != 1) {
        bench_die("no OpenSSL context");
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_read_ahead(ctx, 1); /* header and body in one read: the faster way */
    if (is_server) {
        const struct bench_credential *credential = bench_credential();
        BIO *cert_pem = BIO_new_mem_buf(credential->certificate, -1);
        BIO *key_pem = BIO_new_mem_buf(credential->key, -1);
        X509 *cert = PEM_read_bio_X509(cert_pem, NULL, NULL, NULL);
        EVP_PKEY *key = PEM_read_bio_PrivateKey(key_pem, NULL, NULL, NULL);
        if (SSL_CTX_use_certificate(ctx, cert) != 1 || SSL_CTX_use_PrivateKey(ctx, key) != 1) {
            bench_die("certificate not taken");
        }
        X509_free(cert);
        EVP_PKEY_free(key);
        BIO_free(cert_pem);
        BIO_free(key_pem);
    }
    return ctx;
}

static struct bench_pair *make(bool is_memory)
{
    struct bench_pair *p = calloc(1, sizeof(*p));
    if (!p) {
        bench_die("no memory");
    }
    BIO *memory[2] = {BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem())};
    for (int end = 0; end < 2; end++) {
        p->ctx[end] = context(end == 1);
        p->ssl[end] = SSL_new(p->ctx[end]);
        if (is_memory) {
            BIO_up_ref(memory[0]);
            BIO_up_ref(memory[1]);
            SSL_set_bio(p->ssl[end], memory[!end], memory[end]);
        } else {
            BIO *bio = window_bio(&p->window[!end], &p->window[end]);
            SSL_set_bio(p->ssl[end], bio, bio);
        }
    }
    BIO_free(memory[0]);
    BIO_free(memory[1]);
    SSL_set_connect_state(p->ssl[0]);
    SSL_set_accept_state(p->ssl[1]);
    for (int i = 0; i < 10; i++) {
        (void)SSL_do_handshake(p->ssl[i % 2]);
    }
    if (!SSL_is_init_finished(p->ssl[0]) || !SSL_is_init_finished(p->ssl[1])) {
        bench_die("OpenSSL did not shake hands");
    }
    return p;
}

static struct bench_pair *make_window(void)
{
    return make(false);
}

static struct bench_pair *make_memory(void)
{
    return make(true);
}

static struct slice pass(struct bench_pair *p, struct slice text)
{
    if (SSL_write(p->ssl[0], text.ptr, (int)text.len) != (int)text.len) {
        return SLICE_NONE;
    }
    int len = SSL_read(p->ssl[1], p->text, sizeof(p->text));
    return slice_make((char *)p->text, len > 0 ? (size_t)len : 0);
}

static void drop(struct bench_pair *p)
{
    for (int end = 0; end < 2; end++) {
        BIO *bio = p->ssl[end] ? SSL_get_rbio(p->ssl[end]) : NULL;
        if (bio && BIO_method_type(bio) != BIO_TYPE_MEM) {
            free(BIO_get_data(bio));
        }
        SSL_free(p->ssl[end]);
        SSL_CTX_free(p->ctx[end]);
        EVP_CIPHER_CTX_free(p->cipher[end]);
    }
    free(p);
}

/* --- the cipher alone --- */

static struct bench_pair *make_cipher(void)
{
    static const unsigned char key[16] = {1, 2, 3};
    struct bench_pair *p = calloc(1, sizeof(*p));
    if (!p) {
        bench_die("no memory");
    }
    for (int end = 0; end < 2; end++) {
        p->cipher[end] = EVP_CIPHER_CTX_new();
        if (EVP_CipherInit_ex(p->cipher[end], EVP_aes_128_gcm(), NULL, key, NULL, end == 0) != 1) {
            bench_die("no cipher");
        }
    }
    return p;
}

static struct slice pass_cipher(struct bench_pair *p, struct slice text)
{
    int len;
    int inner = (int)text.len + 1;
    unsigned char *body = p->wire + HEADER_BYTES;
    unsigned char type = 23;
    size_t size = HEADER_BYTES + (size_t)inner + TAG_BYTES;
    p->wire[0] = type;
    p->wire[3] = (unsigned char)((inner + TAG_BYTES) >> 8);
    p->wire[4] = (unsigned char)(inner + TAG_BYTES);
    p->nonce[11]++;
    if (EVP_EncryptInit_ex(p->cipher[0], NULL, NULL, NULL, p->nonce) != 1 ||
        EVP_EncryptUpdate(p->cipher[0], NULL, &len, p->wire, HEADER_BYTES) != 1 ||
        EVP_EncryptUpdate(p->cipher[0], body, &len, (const unsigned char *)text.ptr,
                          (int)text.len) != 1 ||
        EVP_EncryptUpdate(p->cipher[0], body + text.len, &len, &type, 1) != 1 ||
        EVP_EncryptFinal_ex(p->cipher[0], body + inner, &len) != 1 ||
        EVP_CIPHER_CTX_ctrl(p->cipher[0], EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, body + inner) != 1 ||
        !window_put(&p->window[0], p->wire, size) ||
        window_take(&p->window[0], p->text, sizeof(p->text)) != size) {
        return SLICE_NONE;
    }
    body = p->text + HEADER_BYTES;
    if (EVP_DecryptInit_ex(p->cipher[1], NULL, NULL, NULL, p->nonce) != 1 ||
        EVP_DecryptUpdate(p->cipher[1], NULL, &len, p->text, HEADER_BYTES) != 1 ||
        EVP_DecryptUpdate(p->cipher[1], body, &len, body, inner) != 1 ||
        EVP_CIPHER_CTX_ctrl(p->cipher[1], EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, body + inner) != 1 ||
        EVP_DecryptFinal_ex(p->cipher[1], body + inner, &len) != 1) {
        return SLICE_NONE;
    }
    return slice_make((char *)body, text.len);
}

const struct contestant bench_openssl_window = {"OpenSSL", make_window, pass, drop};
const struct contestant bench_openssl_memory = {"OpenSSL, memory BIOs", make_memory, pass, drop};
const struct contestant bench_openssl_cipher = {"OpenSSL, cipher alone", make_cipher, pass_cipher,
                                                drop};
