/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xmpp_host: what the fuzzers of the stream machines have in common: a host with fixed answers and
 * crypto without any (digests are zeros, ids count): inputs can prove things, runs repeat. */
#ifndef FG_FUZZ_XMPP_HOST_H
#define FG_FUZZ_XMPP_HOST_H

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "xml/parser.h"
#include "xmpp/component.h"
#include "xmpp/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned char fuzz_ids;
static uint32_t fuzz_methods;
static bool fuzz_certificate;
/* Rules that change: bit of a pair (fuzz_pair_bit) = refused. */
static uint32_t fuzz_refused;
static uint64_t fuzz_generation = 1;

static inline void fuzz_sha1(struct slice data, unsigned char out[CRYPTO_SHA1_BYTES])
{
    (void)data;
    memset(out, 0, CRYPTO_SHA1_BYTES);
}
static inline void fuzz_sha256(struct slice data, unsigned char out[CRYPTO_SHA256_BYTES])
{
    (void)data;
    memset(out, 0, CRYPTO_SHA256_BYTES);
}
static inline void fuzz_hmac(struct slice key, struct slice data,
                             unsigned char out[CRYPTO_SHA256_BYTES])
{
    (void)key;
    fuzz_sha256(data, out);
}
static inline void fuzz_random(void *out, size_t len)
{
    memset(out, fuzz_ids++, len);
}
static const struct crypto fuzz_crypto = {fuzz_sha1, fuzz_sha256, fuzz_hmac, fuzz_random};

static inline bool fuzz_is_local(void *ctx, struct slice domain)
{
    (void)ctx;
    return slice_eq_cstr(domain, "a.b") || slice_eq_cstr(domain, "c.d");
}
/* Of {a.b, c.d} and {x.y, x.y.z}; 0 = another pair. */
static inline uint32_t fuzz_pair_bit(struct slice local, struct slice remote)
{
    uint32_t shift = slice_eq_cstr(local, "c.d") ? 1 : 0;

    if (slice_eq_cstr(remote, "x.y")) {
        return 1u << shift;
    }
    return slice_eq_cstr(remote, "x.y.z") ? 4u << shift : 0;
}
static inline const struct stream_refusal *fuzz_rules(void *ctx, enum stream_role role,
                                                      struct slice local, struct slice remote,
                                                      struct stream_rules *out)
{
    (void)ctx;
    (void)role;
    *out = (struct stream_rules){fuzz_methods, true, true, 7000, 50000, 30000};
    return slice_eq_cstr(remote, "no") || (fuzz_pair_bit(local, remote) & fuzz_refused) != 0
               ? &stream_refusal_unknown_partner
               : NULL;
}
static inline uint64_t fuzz_version(void *ctx)
{
    (void)ctx;
    return fuzz_generation;
}
static inline bool fuzz_certificate_ok(void *ctx, struct slice domain)
{
    (void)ctx;
    return fuzz_certificate && slice_eq_cstr(domain, "x.y");
}
static inline const char *fuzz_fault(void *ctx, struct slice domain)
{
    (void)ctx;
    (void)domain;
    return "fuzz";
}
static inline const struct dialback_secret *fuzz_secret(void *ctx, struct slice local)
{
    static const struct dialback_secret secret;

    (void)ctx;
    (void)local;
    return &secret;
}
static const struct stream_host fuzz_host = {fuzz_is_local,       fuzz_rules, fuzz_version,
                                             fuzz_certificate_ok, fuzz_fault, fuzz_secret,
                                             NULL};

static inline struct stream *fuzz_stream(enum stream_role role, bool is_secured, struct buf *out)
{
    struct stream_params params = {.role = role,
                                   .is_secured = is_secured,
                                   .local = SLICE_LIT("a.b"),
                                   .remote = SLICE_LIT("x.y"),
                                   .host = &fuzz_host,
                                   .crypto = &fuzz_crypto,
                                   .out = out};
    struct stream *s = NULL;
    int err;

    fuzz_ids = 1;
    buf_init(out, 1 << 22);
    err = stream_new(&s, 0, &params);
    ASSERT(err == 0);
    return s;
}

static inline enum stream_event_kind fuzz_feed(struct stream *s, const char *text,
                                               struct stream_event *ev)
{
    size_t used = 0;

    return stream_feed(s, 1, slice_from_cstr(text), &used, ev);
}

/* One of a few thousand db elements. */
static inline void fuzz_db_element(char out[300], uint8_t a, uint8_t b)
{
    static const char *const domains[] = {"x.y", "X.Y.", "a.b", "c.d", "no", "x.y.z", "@", "u@x.y"};
    static const char *const types[] = {"", " type='valid'", " type='invalid'", " type='error'"};
    const char *name = a & 1 ? "verify" : "result";

    (void)snprintf(out, 300, "<db:%s from='%s' to='%s' id='%d'%s>%s</db:%s>", name,
                   domains[a >> 1 & 7], domains[a >> 4 & 7], b & 3, types[b >> 2 & 3],
                   b & 16 ? "00" : "", name);
}

/* All we wrote is XML, stream after stream, with nothing behind an end. */
static inline void fuzz_check_out(struct buf *out)
{
    struct slice bytes = buf_slice(out);
    struct xml_parser *p = NULL;
    int err = xml_parser_new(&p, &xml_limits_authenticated);

    ASSERT(err == 0 && !out->failed);
    while (bytes.len > 0) {
        const char *next = bytes.len > 1 ? memmem(bytes.ptr + 1, bytes.len - 1, "<?xml", 5) : NULL;
        struct slice part = slice_to(bytes, next ? (size_t)(next - bytes.ptr) : bytes.len);

        bytes = slice_from(bytes, part.len);
        xml_parser_reset(p);
        while (part.len > 0) {
            size_t used = 0;

            ASSERT(xml_parser_feed(p, part.ptr, part.len, &used) != XML_BAD);
            part = slice_from(part, used);
        }
    }
    xml_parser_free(p);
    buf_deinit(out);
}

/* Length of the next piece: all of it, or cut by a small generator. */
static inline size_t fuzz_cut(uint32_t *seed, size_t left)
{
    *seed = *seed * 1103515245u + 12345u;
    return left > 1 && *seed ? 1 + (*seed >> 16) % (left < 40 ? left : 40) : left;
}

#endif
