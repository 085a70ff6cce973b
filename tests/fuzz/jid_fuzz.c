/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jid_fuzz: what parses has parts within their bounds, and its written form parses to itself; every
 * domain has one A-label form. What is recognised without a copy is what the general way returns
 * (jid_oracle). */
#include <stdint.h>

#include "jid_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct jid_storage mem, mem2;
    struct jid jid, again;
    struct jid_ascii ascii, ascii2;
    struct slice text = slice_make((const char *)data, size);
    struct buf out;

    jid_plain_use(&jid_plain_scalar);
    bool is_plain = jid_oracle_check(text);
    jid_plain_use(NULL);
    ASSERT(jid_oracle_check(text) == is_plain);
    if (jid_parse(&mem, text, &jid)) {
        return 0;
    }
    ASSERT(jid.domain.len > 0 && jid.domain.len <= JID_PART_BYTES_MAX);
    ASSERT(jid.local.len <= JID_PART_BYTES_MAX && jid.resource.len <= JID_PART_BYTES_MAX);
    buf_init(&out, JID_BYTES_MAX);
    jid_write(&out, &jid);
    ASSERT(!out.failed && buf_len(&out) == jid_len(&jid));
    ASSERT(jid_parse(&mem2, buf_slice(&out), &again) == 0);
    ASSERT(jid_eq(&jid, &again) && jid.domain_is_ip == again.domain_is_ip);
    buf_deinit(&out);

    ASSERT(jid_domain_to_ascii(jid.domain, &ascii) == 0);
    ASSERT(ascii.len > 0 && ascii.text[ascii.len] == '\0');
    ASSERT(jid_domain_to_ascii(jid_ascii_slice(&ascii), &ascii2) == 0);
    ASSERT(slice_eq(jid_ascii_slice(&ascii), jid_ascii_slice(&ascii2)));
    ASSERT(jid_parse(&mem2, jid_ascii_slice(&ascii), &again) == 0);
    ASSERT(jid_eq_domain(&jid, &again));
    return 0;
}
