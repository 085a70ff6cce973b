/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jid_prep: normalisation of the three parts of a JID; private to jid.c. The only code that knows
 * GNU libidn. ASCII input takes no heap, nor do domains that the thread met lately (jid_memo);
 * other input a few bounded scratch blocks inside libidn.
 * All return 0, ERR_JID or ERR_NOMEM; *why gets a static text when it is not 0.                  */
#ifndef FG_XMPP_JID_PREP_H
#define FG_XMPP_JID_PREP_H

#include "xmpp/jid.h"

/* Input may be longer than its normal form; above this it is refused unread. */
#define JID_PREP_INPUT_BYTES_MAX (3u * JID_PART_BYTES_MAX)

struct jid_prep_domain {
    size_t len; /* of unicode */
    bool is_ip;
    struct jid_ascii ascii;
    char unicode[JID_PART_BYTES_MAX];
};

NODISCARD int jid_prep_local(struct slice in, char out[JID_PART_BYTES_MAX], size_t *len,
                             const char **why);
NODISCARD int jid_prep_resource(struct slice in, char out[JID_PART_BYTES_MAX], size_t *len,
                                const char **why);
NODISCARD int jid_prep_domain(struct slice in, struct jid_prep_domain *out, const char **why);

#endif
