/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jid_oracle: an address taken apart by the letter of RFC 7622 3.2, each part normalised by
 * jid_prep alone, without any of the shortcuts of jid_view(); and the two compared. A difference
 * aborts. For a unit test and the fuzzer. */
#ifndef FG_TEST_JID_ORACLE_H
#define FG_TEST_JID_ORACLE_H

#include "base/check.h"
#include "base/err.h"
#include "xmpp/jid.h"
#include "xmpp/jid_plain.h"
#include "xmpp/jid_prep.h"

struct jid_oracle {
    struct jid jid;
    struct jid_prep_domain domain;
    char local[JID_PART_BYTES_MAX];
    char resource[JID_PART_BYTES_MAX];
};

static inline int jid_oracle_parse(struct jid_oracle *o, struct slice text)
{
    const char *why = NULL;
    size_t slash = 0;
    size_t at = 0;
    size_t len = 0;
    int err = 0;

    o->jid = (struct jid){0};
    while (slash < text.len && text.ptr[slash] != '/') {
        slash++;
    }
    while (at < slash && text.ptr[at] != '@') {
        at++;
    }
    if (slash < text.len) {
        err = jid_prep_resource(slice_from(text, slash + 1), o->resource, &len, &why);
        o->jid.resource = slice_make(o->resource, len);
    }
    if (!err && at < slash) {
        err = jid_prep_local(slice_to(text, at), o->local, &len, &why);
        o->jid.local = slice_make(o->local, len);
    }
    size_t first = at < slash ? at + 1 : 0;
    err = err ? err
              : jid_prep_domain(slice_make(text.ptr + first, slash - first), &o->domain, &why);
    o->jid.domain = slice_make(o->domain.unicode, o->domain.len);
    o->jid.domain_is_ip = o->domain.is_ip;
    return err;
}

static inline bool jid_oracle_is_in(struct slice part, struct slice whole)
{
    return part.len == 0 ||
           (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

/* True: it is an address, and plain (recognised without a copy). */
static inline bool jid_oracle_check(struct slice text)
{
    static _Thread_local struct jid_oracle expected;
    static _Thread_local struct jid_storage mem;
    struct jid_ascii ascii;
    struct jid got;
    struct jid plain;
    int err = jid_oracle_parse(&expected, text);
    bool is_plain = jid_plain_split(text, &plain);

    ASSERT(jid_view(&mem, text, &got) == err);
    ASSERT(!is_plain || !err);
    if (err) {
        ASSERT(jid_parse(&mem, text, &got) == err);
        return false;
    }
    struct slice held = slice_make(mem.bytes, sizeof(mem.bytes));
    struct slice where = is_plain ? text : held;
    ASSERT(jid_eq(&got, &expected.jid) && got.domain_is_ip == expected.jid.domain_is_ip);
    ASSERT(jid_oracle_is_in(got.local, where) && jid_oracle_is_in(got.domain, where) &&
           jid_oracle_is_in(got.resource, where));
    ASSERT(slice_eq(jid_domain_ascii(&got, &ascii), jid_ascii_slice(&expected.domain.ascii)));
    ASSERT(jid_parse(&mem, text, &got) == 0);
    ASSERT(jid_eq(&got, &expected.jid) && got.domain_is_ip == expected.jid.domain_is_ip);
    ASSERT(jid_oracle_is_in(got.local, held) && jid_oracle_is_in(got.domain, held) &&
           jid_oracle_is_in(got.resource, held));
    /* As a domain alone. */
    ASSERT(jid_domain_to_ascii(got.domain, &ascii) == 0);
    ASSERT(slice_eq(jid_ascii_slice(&ascii), jid_ascii_slice(&expected.domain.ascii)));
    ASSERT(ascii.text[ascii.len] == '\0');
    return is_plain;
}

#endif
