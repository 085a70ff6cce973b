/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record: opening and sealing. */
#include "tls/record.h"

#include <endian.h>
#include <string.h>

#include "base/check.h"
#include "base/err.h"
#include "tls/record_rest.h"

#define SEQ_BYTES 8u
/* The part of a TLS 1.2 AES-GCM nonce that travels with the record; we send the sequence number. */
#define EXPLICIT_BYTES 8u
#define AD_BYTES_1_2 (SEQ_BYTES + RECORD_HEADER_BYTES)
/* So near its end a sequence number is worn as well; never reached within a machine's life. */
#define SEQ_SOFT (UINT64_MAX - ((uint64_t)1 << 24))

/* The bound of RFC 8446 5.5 is 2^24.5 = 23.7 million. */
struct record_limits record_limits = {.gcm_soft = (uint64_t)1 << 24,
                                      .gcm_hard = (uint64_t)23 * 1000 * 1000};

void record_side_init(struct record_side *side, const struct tls_aead_ops *ops,
                      const struct tls_keys *keys)
{
    ASSERT(keys->version == TLS_VERSION_1_2 || keys->version == TLS_VERSION_1_3);
    ASSERT(keys->cipher < TLS_CIPHER_COUNT);
    *side = (struct record_side){.keys = *keys, .ops = ops, .count = keys->seq};
}

void record_side_deinit(struct record_side *side)
{
    record_rest(side);
    explicit_bzero(side, sizeof(*side));
}

static bool is_tls13(const struct record_side *side)
{
    return side->keys.version == TLS_VERSION_1_3;
}

static bool is_gcm(const struct record_side *side)
{
    return side->keys.cipher != TLS_CIPHER_CHACHA20_POLY1305;
}

static size_t explicit_bytes(const struct record_side *side)
{
    return !is_tls13(side) && is_gcm(side) ? EXPLICIT_BYTES : 0;
}

/* Body beyond the plaintext. */
static size_t overhead(const struct record_side *side)
{
    return explicit_bytes(side) + TLS_TAG_BYTES + (is_tls13(side) ? 1 : 0);
}

static void put_u64(void *to, uint64_t value)
{
    value = htobe64(value);
    memcpy(to, &value, sizeof(value));
}

STATIC_ASSERT(TLS_SALT_BYTES + SEQ_BYTES == TLS_NONCE_BYTES, "make_nonce fills it");

static void put_header(char *to, uint8_t type, size_t len)
{
    to[0] = (char)type;
    to[1] = (char)(TLS_VERSION_1_2 >> 8); /* in TLS 1.3 too, RFC 8446 5.2 */
    to[2] = (char)(TLS_VERSION_1_2 & 0xff);
    to[3] = (char)(len >> 8);
    to[4] = (char)(len & 0xff);
}

/* iv XOR sequence number; TLS 1.2 AES-GCM: salt and explicit part. */
static void make_nonce(const struct record_side *side, const char *explicit_part,
                       unsigned char nonce[TLS_NONCE_BYTES])
{
    memcpy(nonce, side->keys.iv, TLS_SALT_BYTES);
    if (explicit_bytes(side) > 0) {
        memcpy(nonce + TLS_SALT_BYTES, explicit_part, EXPLICIT_BYTES);
        return;
    }
    uint64_t low;
    memcpy(&low, side->keys.iv + TLS_SALT_BYTES, SEQ_BYTES);
    low ^= htobe64(side->keys.seq);
    memcpy(nonce + TLS_SALT_BYTES, &low, SEQ_BYTES);
}

/* TLS 1.3: the header as it is; TLS 1.2: sequence number, type, version, length of the plaintext,
 * made in ad. */
static struct slice make_ad(const struct record_side *side, const char *header, size_t plain_len,
                            char ad[AD_BYTES_1_2])
{
    if (is_tls13(side)) {
        return slice_make(header, RECORD_HEADER_BYTES);
    }
    put_u64(ad, side->keys.seq);
    put_header(ad + SEQ_BYTES, (uint8_t)header[0], plain_len);
    return slice_make(ad, AD_BYTES_1_2);
}

static int refuse(uint8_t *alert, enum tls_alert what)
{
    *alert = (uint8_t)what;
    return ERR_TLS_RECORD;
}

int record_need(const struct record_side *side, struct slice in, size_t *need, uint8_t *alert)
{
    *need = 0;
    if (in.len < RECORD_HEADER_BYTES) {
        return 0;
    }
    const unsigned char *header = (const unsigned char *)in.ptr;
    size_t body = (size_t)header[3] << 8 | header[4];
    /* RFC 8446 5.2: nothing else may stand outside; its version is not to be looked at (but is in
     * what the tag protects). */
    if (is_tls13(side) ? header[0] != RECORD_APPLICATION_DATA
                       : header[0] < RECORD_CHANGE_CIPHER_SPEC ||
                             header[0] > RECORD_APPLICATION_DATA) {
        return refuse(alert, TLS_ALERT_UNEXPECTED_MESSAGE);
    }
    if (!is_tls13(side) && (header[1] != TLS_VERSION_1_2 >> 8 ||
                            header[2] != (TLS_VERSION_1_2 & 0xff))) {
        return refuse(alert, TLS_ALERT_PROTOCOL_VERSION);
    }
    /* Our ciphers add the same to every record, so the length tells that of what is inside. */
    if (body > RECORD_PLAIN_MAX + overhead(side)) {
        return refuse(alert, TLS_ALERT_RECORD_OVERFLOW);
    }
    if (body < explicit_bytes(side) + TLS_TAG_BYTES) {
        return refuse(alert, TLS_ALERT_BAD_RECORD_MAC);
    }
    *need = RECORD_HEADER_BYTES + body;
    return 0;
}

/* TLSInnerPlaintext: content, type, zeros. All zeros: no type. */
static int unpad(struct slice *inner, uint8_t *type)
{
    size_t len = inner->len;
    uint64_t word;
    while (len >= sizeof(word)) {
        memcpy(&word, inner->ptr + len - sizeof(word), sizeof(word));
        if (word != 0) {
            break;
        }
        len -= sizeof(word);
    }
    while (len > 0 && inner->ptr[len - 1] == 0) {
        len--;
    }
    if (len == 0) {
        return ERR_TLS_RECORD;
    }
    *type = (uint8_t)inner->ptr[len - 1];
    inner->len = len - 1;
    return 0;
}

/* A key to work with, and a number that was not used. */
static int get_ready(struct record_side *side)
{
    if (UNLIKELY(!side->aead)) {
        int err = record_expand(side);
        if (err != 0) {
            return err;
        }
    }
    side->is_recent = true;
    return 0;
}

/* What came out is a record that this peer may send. */
static int judge(const struct record_side *side, struct slice *plain, uint8_t *type)
{
    if (is_tls13(side)) {
        if (unpad(plain, type) != 0 || *type < RECORD_ALERT || *type > RECORD_APPLICATION_DATA) {
            return ERR_TLS_RECORD;
        }
    }
    return plain->len == 0 && *type != RECORD_APPLICATION_DATA ? ERR_TLS_RECORD : 0;
}

int record_open(struct record_side *side, char *bytes, size_t len, uint8_t *type,
                struct slice *plain, uint8_t *alert)
{
    size_t need;
    *plain = SLICE_NONE;
    int err = record_need(side, slice_make(bytes, len), &need, alert);
    if (err != 0) {
        return err;
    }
    ASSERT(need == len && len > 0);
    if (side->keys.seq == UINT64_MAX) {
        return refuse(alert, TLS_ALERT_INTERNAL_ERROR); /* RFC 8446 5.3: it must not wrap */
    }
    err = get_ready(side);
    if (err != 0) {
        *alert = TLS_ALERT_INTERNAL_ERROR;
        return err;
    }
    char *text = bytes + RECORD_HEADER_BYTES + explicit_bytes(side);
    size_t text_len = (size_t)(bytes + len - text) - TLS_TAG_BYTES;
    char ad[AD_BYTES_1_2];
    struct tls_aead_head head;
    head.ad = make_ad(side, bytes, text_len, ad);
    make_nonce(side, bytes + RECORD_HEADER_BYTES, head.nonce);
    enum tls_alert wrong = TLS_ALERT_BAD_RECORD_MAC;
    err = side->ops->open(side->aead, &head, text, text_len, text + text_len);
    if (err == 0) {
        side->keys.seq++;
        side->count++;
        *type = (uint8_t)bytes[0];
        *plain = slice_make(text, text_len);
        wrong = TLS_ALERT_UNEXPECTED_MESSAGE;
        err = judge(side, plain, type);
    }
    if (UNLIKELY(err != 0)) {
        *plain = SLICE_NONE;
        explicit_bzero(text, text_len);
        return refuse(alert, wrong);
    }
    return 0;
}

static size_t record_count(size_t len, size_t plain_max)
{
    return len == 0 ? 1 : (len + plain_max - 1) / plain_max;
}

size_t record_sealed_bytes(const struct record_side *side, size_t len, size_t plain_max)
{
    return len + record_count(len, plain_max) * (RECORD_HEADER_BYTES + overhead(side));
}

size_t record_plain_bytes(const struct record_side *side, size_t sealed)
{
    size_t least = RECORD_HEADER_BYTES + overhead(side);

    return sealed > least ? sealed - least : 0;
}

static bool can_seal(const struct record_side *side, uint64_t records)
{
    if (records > UINT64_MAX - side->keys.seq) {
        return false;
    }
    return !is_gcm(side) || (side->count < record_limits.gcm_hard &&
                             records <= record_limits.gcm_hard - side->count);
}

/* One record at to, whose size is returned by way of *size. */
static int seal_one(struct record_side *side, uint8_t type, struct slice plain, char *to,
                    size_t *size)
{
    char inner = (char)type;
    size_t body = plain.len + overhead(side);
    char ad[AD_BYTES_1_2];
    struct tls_aead_head head;
    put_header(to, is_tls13(side) ? RECORD_APPLICATION_DATA : type, body);
    if (explicit_bytes(side) > 0) {
        put_u64(to + RECORD_HEADER_BYTES, side->keys.seq);
    }
    head.ad = make_ad(side, to, plain.len, ad);
    make_nonce(side, to + RECORD_HEADER_BYTES, head.nonce);
    side->keys.seq++; /* whatever comes: this nonce is used */
    side->count++;
    *size = RECORD_HEADER_BYTES + body;
    return side->ops->seal(side->aead, &head, plain, slice_make(&inner, is_tls13(side) ? 1 : 0),
                           to + RECORD_HEADER_BYTES + explicit_bytes(side));
}

int record_seal(struct record_side *side, uint8_t type, struct slice plain, size_t plain_max,
                struct buf *out)
{
    ASSERT(plain_max > 0 && plain_max <= RECORD_PLAIN_MAX);
    ASSERT(type >= RECORD_ALERT && type <= RECORD_APPLICATION_DATA);
    ASSERT(plain.len > 0 || type == RECORD_APPLICATION_DATA);
    size_t count = record_count(plain.len, plain_max);
    if (UNLIKELY(!can_seal(side, count))) {
        return ERR_TLS_WORN;
    }
    int err = get_ready(side);
    if (err != 0) {
        return err;
    }
    size_t total = record_sealed_bytes(side, plain.len, plain_max);
    char *to = buf_reserve(out, total);
    if (!to) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        size_t size;
        err = seal_one(side, type, slice_to(plain, plain_max), to, &size);
        if (err != 0) {
            return err;
        }
        plain = slice_from(plain, plain_max);
        to += size;
    }
    buf_commit(out, total);
    return 0;
}

bool record_is_worn(const struct record_side *side)
{
    return side->keys.seq >= SEQ_SOFT || (is_gcm(side) && side->count >= record_limits.gcm_soft);
}

bool record_is_spent(const struct record_side *side)
{
    return !can_seal(side, 1);
}
