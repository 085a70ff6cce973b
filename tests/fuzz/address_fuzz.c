/* SPDX-License-Identifier: GPL-2.0-or-later */
/* address_fuzz: an address that is translated comes back as itself, from either side; and what is
 * written as a SIP URI can be read as one. */
#include <stdint.h>

#include "base/check.h"
#include "translate/address.h"

#define URI_BYTES_MAX 40000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_returns(const struct jid *jid)
{
    struct jid_storage mem;
    struct jid again;
    struct buf uri;

    buf_init(&uri, URI_BYTES_MAX);
    ASSERT(address_to_uri(&uri, jid, true) == 0 && !uri.failed);
    ASSERT(address_text_to_jid(buf_slice(&uri), true, &mem, &again) == 0);
    ASSERT(jid_eq(jid, &again));
    buf_deinit(&uri);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make((const char *)data, size);
    struct jid_storage mem;
    struct jid jid;
    struct buf uri;

    if (address_text_to_jid(text, true, &mem, &jid) == 0) {
        check_returns(&jid);
    }
    if (jid_parse(&mem, text, &jid) == 0) {
        buf_init(&uri, URI_BYTES_MAX);
        if (address_to_uri(&uri, &jid, true) == 0) {
            check_returns(&jid);
        } else {
            ASSERT(buf_len(&uri) == 0);
        }
        buf_deinit(&uri);
    }
    return 0;
}
