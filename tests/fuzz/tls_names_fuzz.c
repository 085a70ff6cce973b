/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DER: certificates from strangers, their names, name constraints, texts. */
#include "base/check.h"
#include "der_seed.h"
#include "tls/cert.h"
#include "tls/constraints.h"
#include "tls/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf der;
    buf_init(&der, 1u << 20);
    struct slice in = der_seed_decode(&der, data, size);
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
