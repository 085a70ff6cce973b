/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jid_points: text as code points and the stringprep profiles over them; private to jid_prep*.c.
 * All that return int return 0, ERR_JID or ERR_NOMEM; *why gets a static text when it is not 0. */
#ifndef FG_XMPP_JID_POINTS_H
#define FG_XMPP_JID_POINTS_H

#include <stringprep.h>

#include "xmpp/jid_prep.h"

/* Mapping and NFKC can lengthen: what does not fit here cannot fit 1023 bytes either. */
#define JID_POINTS_MAX (JID_PREP_INPUT_BYTES_MAX + 64u)

/* 12 KB. */
struct jid_points {
    size_t count;
    uint32_t at[JID_POINTS_MAX];
};

/* Sets *why, returns ERR_JID. */
int jid_points_fail(const char **why, const char *text);
NODISCARD int jid_points_decode(struct slice in, struct jid_points *out, const char **why);
NODISCARD int jid_points_encode(const struct jid_points *in, char *out, size_t out_bytes,
                                size_t *len, const char **why);
bool jid_points_eq(const struct jid_points *a, const struct jid_points *b);
/* p in, normal form in *p out. */
NODISCARD int jid_points_prep(struct jid_points *p, const Stringprep_profile *profile,
                              const char **why);

#endif
