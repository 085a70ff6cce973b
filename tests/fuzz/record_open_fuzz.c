/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record_open: any bytes as records under fixed keys, with both libraries. First byte: keys;
 * second: whether what follows is the wire, or an inner plaintext that is sealed rightly, so that
 * what stands behind the tag is reached too.                                                   */
#include "record_ends.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* TLS 1.3: content, type and padding are the input's. The longest are over the limit. */
static size_t seal_inner(struct record_ends *e, struct slice inner, char *to)
{
    size_t body = inner.len + TLS_TAG_BYTES;
    const char header[RECORD_HEADER_BYTES] = {23, 3, 3, (char)(body >> 8), (char)body};
    struct tls_aead_head head = {.ad = slice_make(header, sizeof(header))};
    struct tls_aead *aead =
        e->from.ops->create((enum tls_cipher)e->from.keys.cipher, e->from.keys.key);
    memcpy(to, header, sizeof(header));
    memcpy(head.nonce, e->from.keys.iv, sizeof(head.nonce)); /* sequence number 0 */
    ASSERT(e->from.ops->seal(aead, &head, inner, SLICE_NONE, to + sizeof(header)) == 0);
    e->from.ops->destroy(aead);
    return sizeof(header) + body;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char sealed[RECORD_HEADER_BYTES + UINT16_MAX];
    struct record_ends e;
    if (size < 2) {
        return 0;
    }
    ends_init(&e, data[0]);
    struct slice wire = slice_make((const char *)data + 2, size - 2);
    bool is_inner = (data[1] & 1) != 0 && (data[0] & 2) != 0 && wire.len < UINT16_MAX - 16;
    struct slice inner = wire;
    if (is_inner) {
        wire = slice_make(sealed, seal_inner(&e, wire, sealed));
    }
    size_t need = 1;
    while (need > 0) {
        struct ends_result r = ends_open(&e, wire, &need);
        if (is_inner && r.err == 0) { /* a record, its type, nothing but zeros behind it */
            ASSERT(slice_eq(r.plain, slice_to(inner, r.plain.len)));
            inner = slice_from(inner, r.plain.len);
            ASSERT(inner.len > 0 && (uint8_t)inner.ptr[0] == r.type);
            for (inner = slice_from(inner, 1); inner.len > 0; inner = slice_from(inner, 1)) {
                ASSERT(inner.ptr[0] == 0);
            }
        }
        need = r.err == 0 ? need : 0;
        wire = slice_from(wire, need);
        is_inner = false;
    }
    ends_deinit(&e);
    return 0;
}
