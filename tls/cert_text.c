/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cert_text: distinguished names for people and logs. */
#include "tls/cert.h"
#include "tls/der.h"

#define RDN_MAX 16u

struct text {
    char *out;
    size_t bytes; /* of out, with the NUL */
    size_t len;
    bool is_cut;
};

static void put(struct text *t, const char *piece, size_t len)
{
    /* Room for "..." and NUL is kept back, so that a cut text always says so. */
    if (t->is_cut || t->len + len + 4 > t->bytes) {
        t->is_cut = true;
        return;
    }
    memcpy(t->out + t->len, piece, len);
    t->len += len;
}

static const char *attribute_of(struct slice oid)
{
    if (slice_eq(oid, SLICE_LIT("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01"))) {
        return "emailAddress";
    }
    if (slice_eq(oid, SLICE_LIT("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19"))) {
        return "DC";
    }
    if (oid.len == 3 && oid.ptr[0] == 0x55 && oid.ptr[1] == 0x04) {
        switch (oid.ptr[2]) {
        case 3:
            return "CN";
        case 6:
            return "C";
        case 7:
            return "L";
        case 8:
            return "ST";
        case 10:
            return "O";
        case 11:
            return "OU";
        default:
            break;
        }
    }
    return "?";
}

static void put_value(struct text *t, struct slice value)
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < value.len && !t->is_cut; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if (c < 0x20 || c > 0x7e || c == '\\' || c == '"' || c == ',') {
            char escaped[4] = {'\\', 'x', hex[c >> 4], hex[c & 15]};
            put(t, escaped, sizeof(escaped));
        } else {
            put(t, value.ptr + i, 1);
        }
    }
}

void cert_name_text(struct slice name, char *out, size_t out_bytes)
{
    struct text t = {out, out_bytes, 0, false};
    struct der whole = der_make(name);
    struct der rdns = der_open(&whole, DER_SEQUENCE);
    for (uint32_t i = 0; i < RDN_MAX && !der_at_end(&rdns) && !t.is_cut; i++) {
        struct der rdn = der_open(&rdns, DER_SET);
        struct der attribute = der_open(&rdn, DER_SEQUENCE);
        const char *label = attribute_of(der_need(&attribute, DER_OID).content);
        struct der_item value;
        if (!der_next(&attribute, &value)) {
            break;
        }
        if (t.len > 0) {
            put(&t, ", ", 2);
        }
        put(&t, label, strlen(label));
        put(&t, "=", 1);
        put_value(&t, value.content);
    }
    if (t.is_cut) {
        memcpy(out + t.len, "...", 3);
        t.len += 3;
    }
    out[t.len] = '\0';
}
