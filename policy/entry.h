/* SPDX-License-Identifier: GPL-2.0-or-later */
/* entry: one entry of a set of addresses, as a person writes it, in its normal form: local part as
 * jid.h normalises it, domain as A-labels in lower case. A name as a directory has it ("o'hara",
 * "r&d", with "sip:" before it) is taken for the local part that the translator makes of it.
 * Any thread. */
#ifndef FG_POLICY_ENTRY_H
#define FG_POLICY_ENTRY_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "policy/users_int.h"

/* Bits: what an entry may be where it stands. */
#define ENTRY_ADDRESS 1u /* "ann@corp.example" */
#define ENTRY_DOMAIN  2u /* "corp.example" */
#define ENTRY_SUFFIX  4u /* "*.corp.example" */
#define ENTRY_GROUP   8u /* "group:finance" */

struct entry {
    uint32_t kind; /* one of these bits */
    char text[USERS_ENTRY_BYTES_MAX];
    size_t len;
    size_t domain_at; /* in text; of a group: where its name begins */
};

static inline struct slice entry_text(const struct entry *e)
{
    return slice_make(e->text, e->len);
}
/* Domain without "*.", or the group's name. */
static inline struct slice entry_domain(const struct entry *e)
{
    return slice_make(e->text + e->domain_at, e->len - e->domain_at);
}

#define ENTRY_GROUP_NAME_BYTES_MAX 64u

/* NULL, or a static text that says what is wrong ("has a resource ..."). kinds: what is allowed. */
const char *entry_parse(struct slice text, uint32_t kinds, struct entry *out);

#endif
