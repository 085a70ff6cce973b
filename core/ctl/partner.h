/* SPDX-License-Identifier: GPL-2.0-or-later */
/* partner: what the parts of `fedgatectl partner` share (private to cmd_partner*.c). */
#ifndef FG_CTL_PARTNER_H
#define FG_CTL_PARTNER_H

#include "base/attr.h"
#include "ctl/client.h"
#include "ctl/ctl.h"
#include "ctl/out.h"
#include "policy/json.h"
#include "policy/partner.h"
#include "policy/snapshot.h"

/* Each: argv[0] is the form's name; an exit status. */
int partner_list(struct ctl *ctl, int argc, char **argv);
int partner_show(struct ctl *ctl, int argc, char **argv);
int partner_add(struct ctl *ctl, int argc, char **argv);
int partner_set(struct ctl *ctl, int argc, char **argv);
int partner_remove(struct ctl *ctl, int argc, char **argv);
int partner_export(struct ctl *ctl, int argc, char **argv);

/* "no partner has the domain X; did you mean Y?": EX_NOINPUT. */
int partner_unknown(const struct ctl *ctl, const struct json_doc *doc, const char *domain);
/* NULL, or what is wrong with a word that should be a domain. */
const char *partner_domain_fault(const char *word);

/* What row and verdict are and what can result: for people a line or two, with --json members of
 * the open object: negotiation {row, tls, sasl, dialback, verdict, reason, text, results}. */
void partner_put_row(struct out *o, bool is_json, const struct partner_row *row);

/* Asks the node about the partner; as client_try, and why also says what the node refused. */
NODISCARD int partner_ask_node(const struct ctl *ctl, struct slice domain,
                               struct client_reply *reply, char why[CLIENT_WHY_BYTES]);
/* "2026-11-21 20:15:36Z" */
void partner_put_time(struct buf *out, int64_t unix_s);

#endif
