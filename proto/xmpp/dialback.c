/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dialback: keys (XEP-0185) and elements (XEP-0220), always with the prefix db: that our stream
 * header declares (peers compare the literal name, xmpp.md 2.2). */
#include "xmpp/dialback.h"

#include "base/ascii.h"
#include "base/attr.h"
#include "base/check.h"
#include "xml/writer.h"
#include "xmpp/jid.h"
#include "xmpp/ns.h"

/* Two domains, an id and two spaces. The longest id comes from a peer's header or db:verify. */
#define BOND_BYTES_MAX (2u * JID_PART_BYTES_MAX + DIALBACK_ID_BYTES_MAX + 3u)

static void to_hex(const unsigned char *bytes, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
}

void dialback_secret_init(struct dialback_secret *s, const struct crypto *crypto,
                          struct slice secret)
{
    unsigned char digest[CRYPTO_SHA256_BYTES];

    crypto->sha256(secret, digest);
    to_hex(digest, sizeof(digest), s->hex);
}

void dialback_secret_random(struct dialback_secret *s, const struct crypto *crypto)
{
    unsigned char bytes[CRYPTO_SHA256_BYTES];

    crypto->random(bytes, sizeof(bytes));
    to_hex(bytes, sizeof(bytes), s->hex);
}

/* False when a part is longer than anything legal: then there is no key. */
static bool join(char out[BOND_BYTES_MAX], const struct dialback_bond *bond, size_t *len)
{
    const struct slice parts[] = {bond->receiving, bond->originating, bond->stream_id};
    size_t at = 0;

    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        if (at + 1 > BOND_BYTES_MAX || parts[i].len > BOND_BYTES_MAX - at - 1) {
            return false;
        }
        if (i > 0) {
            out[at++] = ' ';
        }
        if (parts[i].len > 0) {
            memcpy(out + at, parts[i].ptr, parts[i].len);
        }
        at += parts[i].len;
    }
    *len = at;
    return true;
}

bool dialback_key_make(struct dialback_key *out, const struct crypto *crypto,
                       const struct dialback_secret *secret, const struct dialback_bond *bond)
{
    unsigned char mac[CRYPTO_SHA256_BYTES];
    char text[BOND_BYTES_MAX];
    size_t len = 0;

    if (!join(text, bond, &len)) {
        return false;
    }
    crypto->hmac_sha256(slice_make(secret->hex, sizeof(secret->hex)), slice_make(text, len), mac);
    to_hex(mac, sizeof(mac), out->hex);
    return true;
}

bool dialback_key_is_valid(const struct crypto *crypto, const struct dialback_secret *secret,
                           const struct dialback_bond *bond, struct slice key)
{
    struct dialback_key right;

    if (!dialback_key_make(&right, crypto, secret, bond)) {
        return false;
    }
    return slice_eq_secret(slice_trim(key), slice_make(right.hex, sizeof(right.hex)));
}

const char *dialback_verdict_name(enum dialback_verdict v)
{
    static const char *const names[] = {
        [DIALBACK_VALID] = "valid", [DIALBACK_INVALID] = "invalid", [DIALBACK_ERROR] = "error"};

    ASSERT(v < ARRAY_COUNT(names));
    return names[v];
}

static void put_open(struct buf *out, const struct dialback_address *a)
{
    buf_put_cstr(out, a->id.ptr ? "<db:verify" : "<db:result");
    if (a->declares) {
        buf_put_lit(out, " xmlns:db=\"" NS_DIALBACK "\"");
    }
    xml_write_attr(out, "from", a->from);
    xml_write_attr(out, "to", a->to);
    if (a->id.ptr) {
        xml_write_attr(out, "id", a->id);
    }
}

static void put_close(struct buf *out, const struct dialback_address *a)
{
    buf_put_cstr(out, a->id.ptr ? "</db:verify>" : "</db:result>");
}

void dialback_write_request(struct buf *out, const struct dialback_address *a, struct slice key)
{
    put_open(out, a);
    buf_putc(out, '>');
    xml_write_text(out, key);
    put_close(out, a);
}

void dialback_write_answer(struct buf *out, const struct dialback_address *a,
                           enum dialback_verdict v, enum stanza_condition condition)
{
    put_open(out, a);
    buf_put_lit(out, " type=\"");
    buf_put_cstr(out, dialback_verdict_name(v));
    if (v != DIALBACK_ERROR) {
        buf_put_lit(out, "\"/>");
        return;
    }
    buf_put_lit(out, "\">");
    stanza_error_write(out, &(struct stanza_error){.condition = condition});
    put_close(out, a);
}
