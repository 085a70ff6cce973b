/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DER: certificates from strangers, their names, name constraints, texts. Seeds are base64 text
 * (the corpus holds text files only); the mutator turns them into DER before it changes them.   */
#include <stdint.h>

#include "base/base64.h"
#include "base/check.h"
#include "tls/cert.h"
#include "tls/constraints.h"
#include "tls/names.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool from_base64(struct buf *der, const uint8_t *data, size_t size)
{
    struct slice text = slice_trim(slice_make((const char *)data, size));
    return slice_starts(text, SLICE_LIT("MI")) && base64_decode(der, text);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    (void)seed;
    struct buf der;
    buf_init(&der, 1u << 20);
    if (from_base64(&der, data, size) && buf_len(&der) <= max_size) {
        size = buf_len(&der);
        memcpy(data, buf_slice(&der).ptr, size);
    }
    buf_deinit(&der);
    return LLVMFuzzerMutate(data, size, max_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf der;
    buf_init(&der, 1u << 20);
    struct slice in = slice_make((const char *)data, size);
    in = from_base64(&der, data, size) ? buf_slice(&der) : in;
    struct tls_names names;
    int err = tls_names_parse(&names, in);
    ASSERT(names.count <= TLS_NAMES_MAX && names.bytes_used <= TLS_NAMES_BYTES);
    ASSERT(err == 0 || names.count == 0);
    (void)tls_names_match_sip(&names, SLICE_LIT("fabrikam.test"));
    ASSERT(!tls_names_match_xmpp(&names, SLICE_LIT("")));
    for (uint32_t i = 0; i < names.count; i++) {
        enum tls_name_kind kind;
        (void)tls_names_match_xmpp(&names, tls_names_get(&names, i, &kind));
    }
    tls_names_deinit(&names);
    struct cert cert;
    if (cert_parse(&cert, in) == 0) {
        char text[64];
        cert_name_text(cert.subject, text, sizeof(text));
        ASSERT(strlen(text) < sizeof(text));
        (void)constraints_allow(&cert, &cert);
    }
    buf_deinit(&der);
    return 0;
}
