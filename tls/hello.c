/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hello: see hello.h. */
#include "tls/hello.h"

#include <string.h>

#include "base/slice.h"

#define CLIENT_HELLO 1
#define SERVER_HELLO 2
#define FIXED_BYTES  34u /* legacy_version, random */

#define EXT_PRE_SHARED_KEY 41u
#define EXT_PSK_MODES      45u
#define EXT_KEY_SHARE      51u
#define MODE_PSK_DHE_KE    1

void hello_init(struct hello *h, bool is_from_server)
{
    *h = (struct hello){.is_from_server = is_from_server};
    buf_init(&h->body, HELLO_BYTES_MAX);
}

void hello_deinit(struct hello *h)
{
    buf_deinit(&h->body);
}

static bool skip(struct slice *rest, size_t len)
{
    bool ok = rest->len >= len;
    *rest = slice_from(*rest, ok ? len : rest->len);
    return ok;
}

static bool take_number(struct slice *rest, size_t bytes, size_t *out)
{
    struct slice at = *rest;
    *out = 0;
    if (!skip(rest, bytes)) {
        return false;
    }
    for (size_t i = 0; i < bytes; i++) {
        *out = *out << 8 | (unsigned char)at.ptr[i];
    }
    return true;
}

/* What follows its own length. */
static bool take_vector(struct slice *rest, size_t length_bytes, struct slice *out)
{
    size_t len;
    bool ok = take_number(rest, length_bytes, &len) && len <= rest->len;
    *out = slice_to(*rest, ok ? len : 0);
    return ok && skip(rest, len);
}

static bool read_extension(struct hello *h, struct slice *rest)
{
    size_t type;
    struct slice body;
    struct slice modes;
    if (!take_number(rest, 2, &type) || !take_vector(rest, 2, &body)) {
        return false;
    }
    h->has_psk = h->has_psk || type == EXT_PRE_SHARED_KEY;
    h->has_key_share = h->has_key_share || type == EXT_KEY_SHARE;
    if (type == EXT_PSK_MODES && !h->is_from_server) {
        if (!take_vector(&body, 1, &modes)) {
            return false;
        }
        h->has_dhe_mode = modes.len > 0 && memchr(modes.ptr, MODE_PSK_DHE_KE, modes.len) != NULL;
    }
    return true;
}

static bool read_body(struct hello *h)
{
    struct slice rest = buf_slice(&h->body);
    struct slice part;
    bool ok = skip(&rest, FIXED_BYTES) && take_vector(&rest, 1, &part);
    if (h->is_from_server) {
        ok = ok && skip(&rest, 3); /* suite, compression */
    } else {
        ok = ok && take_vector(&rest, 2, &part) && take_vector(&rest, 1, &part);
    }
    if (ok && rest.len == 0) {
        return true; /* TLS 1.2 may have no extensions */
    }
    ok = ok && take_vector(&rest, 2, &part) && rest.len == 0;
    while (ok && part.len > 0) {
        ok = read_extension(h, &part);
    }
    return ok;
}

static size_t body_bytes(const struct hello *h)
{
    return (size_t)h->header[1] << 16 | (size_t)h->header[2] << 8 | h->header[3];
}

/* A message begins. */
static void begin(struct hello *h)
{
    if (h->header[0] != (h->is_from_server ? SERVER_HELLO : CLIENT_HELLO)) {
        h->is_over = true;
        return;
    }
    h->is_whole = h->has_psk = h->has_key_share = h->has_dhe_mode = false;
    h->is_over = body_bytes(h) > HELLO_BYTES_MAX;
    buf_clear(&h->body);
}

void hello_feed(struct hello *h, const unsigned char *bytes, size_t len)
{
    while (len > 0 && !h->is_over) {
        if (h->header_have < sizeof(h->header)) {
            h->header[h->header_have++] = *bytes++;
            len--;
            if (h->header_have == sizeof(h->header)) {
                begin(h);
            }
        } else {
            size_t left = body_bytes(h) - buf_len(&h->body);
            size_t take = len < left ? len : left;
            buf_append(&h->body, bytes, take);
            bytes += take;
            len -= take;
        }
        if (h->header_have == sizeof(h->header) && !h->is_over) {
            h->is_over = h->body.failed;
            if (!h->is_over && buf_len(&h->body) == body_bytes(h)) {
                h->is_whole = read_body(h);
                h->header_have = 0;
            }
        }
    }
}

bool hello_is_forward_secret(const struct hello *h)
{
    if (h->is_from_server) {
        return h->is_whole && h->has_key_share;
    }
    return h->is_whole && (!h->has_psk || (h->has_key_share && h->has_dhe_mode));
}
