/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ktls: keys, control records and counters of sockets whose records the kernel protects. */
#include "io/ktls.h"

#include <errno.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "io/io.h"

#ifndef TCP_ULP
#define TCP_ULP 31
#endif
#ifndef SOL_TLS
#define SOL_TLS 282
#endif

#define SEQ_BYTES 8u
#define SALT_BYTES 4u
#define COUNTER_LINE_BYTES 128

_Static_assert(TLS_CIPHER_AES_GCM_128_IV_SIZE == SEQ_BYTES, "the explicit nonce is a number");
_Static_assert(TLS_CIPHER_AES_GCM_256_SALT_SIZE == SALT_BYTES, "as with AES-128");

/* What setsockopt wants: one layout per cipher, keys inside. */
union crypto_info {
    struct tls_crypto_info info;
    struct tls12_crypto_info_aes_gcm_128 gcm128;
    struct tls12_crypto_info_aes_gcm_256 gcm256;
    struct tls12_crypto_info_chacha20_poly1305 chacha;
};

int ktls_attach(int fd)
{
    return setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) == 0 ? 0 : -errno;
}

static void put_seq(unsigned char *to, uint64_t seq)
{
    for (uint32_t i = 0; i < SEQ_BYTES; i++) {
        to[i] = (unsigned char)(seq >> (8 * (SEQ_BYTES - 1 - i)));
    }
}

/* AES-GCM: the first 4 bytes of the IV are the salt. The other 8 are the rest of it in TLS 1.3, in
 * TLS 1.2 the explicit nonce to start from: the sequence number, which never repeats (RFC 5288 3).
 */
static void put_gcm(const struct ktls_keys *keys, unsigned char *iv, unsigned char *salt)
{
    memcpy(salt, keys->iv, SALT_BYTES);
    if (keys->is_tls13) {
        memcpy(iv, keys->iv + SALT_BYTES, TLS_CIPHER_AES_GCM_128_IV_SIZE);
    } else {
        put_seq(iv, keys->seq);
    }
}

static socklen_t fill(union crypto_info *u, const struct ktls_keys *keys)
{
    u->info.version = keys->is_tls13 ? TLS_1_3_VERSION : TLS_1_2_VERSION;
    switch (keys->cipher) {
    case KTLS_AES_128_GCM:
        u->info.cipher_type = TLS_CIPHER_AES_GCM_128;
        put_gcm(keys, u->gcm128.iv, u->gcm128.salt);
        memcpy(u->gcm128.key, keys->key, sizeof(u->gcm128.key));
        put_seq(u->gcm128.rec_seq, keys->seq);
        return sizeof(u->gcm128);
    case KTLS_AES_256_GCM:
        u->info.cipher_type = TLS_CIPHER_AES_GCM_256;
        put_gcm(keys, u->gcm256.iv, u->gcm256.salt);
        memcpy(u->gcm256.key, keys->key, sizeof(u->gcm256.key));
        put_seq(u->gcm256.rec_seq, keys->seq);
        return sizeof(u->gcm256);
    case KTLS_CHACHA20_POLY1305:
        u->info.cipher_type = TLS_CIPHER_CHACHA20_POLY1305;
        memcpy(u->chacha.iv, keys->iv, sizeof(u->chacha.iv));
        memcpy(u->chacha.key, keys->key, sizeof(u->chacha.key));
        put_seq(u->chacha.rec_seq, keys->seq);
        return sizeof(u->chacha);
    case KTLS_CIPHER_COUNT:
        break;
    }
    UNREACHABLE("a cipher the kernel was not asked for");
}

static int set(int fd, int direction, const struct ktls_keys *keys)
{
    union crypto_info u;
    socklen_t len;
    int err;

    memset(&u, 0, sizeof(u));
    len = fill(&u, keys);
    err = setsockopt(fd, SOL_TLS, direction, &u, len) == 0 ? 0 : -errno;
    explicit_bzero(&u, sizeof(u));
    return err;
}

int ktls_set_in(int fd, const struct ktls_keys *keys)
{
    return set(fd, TLS_RX, keys);
}

int ktls_set_out(int fd, const struct ktls_keys *keys)
{
    return set(fd, TLS_TX, keys);
}

void ktls_record_fill(struct io_record *record)
{
    struct cmsghdr *cmsg;

    ASSERT(record->len <= IO_RECORD_BYTES_MAX);
    record->part = (struct iovec){record->bytes, record->len};
    record->head = (struct msghdr){.msg_iov = &record->part,
                                   .msg_iovlen = 1,
                                   .msg_control = record->control,
                                   .msg_controllen = sizeof(record->control)};
    memset(record->control, 0, sizeof(record->control));
    cmsg = CMSG_FIRSTHDR(&record->head);
    cmsg->cmsg_level = SOL_TLS;
    cmsg->cmsg_type = TLS_SET_RECORD_TYPE;
    cmsg->cmsg_len = CMSG_LEN(sizeof(record->type));
    memcpy(CMSG_DATA(cmsg), &record->type, sizeof(record->type));
}

void ktls_clear_error(int fd)
{
    int err = 0;
    socklen_t len = sizeof(err);

    (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
}

int ktls_recv(int fd, uint8_t *type, char *bytes, size_t len)
{
    alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(uint8_t))];
    struct iovec part = {bytes, len};
    struct msghdr head = {.msg_iov = &part,
                          .msg_iovlen = 1,
                          .msg_control = control,
                          .msg_controllen = sizeof(control)};
    const struct cmsghdr *cmsg;
    ssize_t n = recvmsg(fd, &head, MSG_DONTWAIT);

    if (n < 0) {
        return -errno;
    }
    cmsg = CMSG_FIRSTHDR(&head);
    if (!cmsg || cmsg->cmsg_level != SOL_TLS || cmsg->cmsg_type != TLS_GET_RECORD_TYPE) {
        *type = 0; /* the end: there is no record */
        return n == 0 ? 0 : -EPROTO;
    }
    memcpy(type, CMSG_DATA(cmsg), sizeof(*type));
    return (int)n;
}

bool ktls_counters(struct ktls_counters *out)
{
    const struct {
        const char *name;
        uint64_t *value;
    } rows[] = {
        {"TlsCurrRxSw", &out->current_in_sw},       {"TlsCurrTxSw", &out->current_out_sw},
        {"TlsRxSw", &out->total_in_sw},             {"TlsTxSw", &out->total_out_sw},
        {"TlsDecryptError", &out->decrypt_errors},
    };
    char line[COUNTER_LINE_BYTES];
    FILE *file = fopen("/proc/net/tls_stat", "re");

    memset(out, 0, sizeof(*out));
    if (!file) {
        return false;
    }
    while (fgets(line, sizeof(line), file)) {
        size_t len = strcspn(line, " \t");

        for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
            if (len == strlen(rows[i].name) && memcmp(line, rows[i].name, len) == 0) {
                *rows[i].value = strtoull(line + len, NULL, 10);
            }
        }
    }
    (void)fclose(file);
    return true;
}
