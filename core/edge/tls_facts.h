/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls_facts: what is known of TLS on this node, for the log and /stats. Control thread. */
#ifndef FG_EDGE_TLS_FACTS_H
#define FG_EDGE_TLS_FACTS_H

#include "edge/report_tls.h"
#include "edge/setup.h"

/* kernel is kept as a pointer; texts are static. */
struct report_tls tls_facts(const struct setup *setup, const struct ktls_caps *kernel);
/* What protects connections here, and how fast. */
void tls_facts_log(const struct report_tls *tls, const char *backend, const char *version);
/* Which lists were loaded; warns of own certificates that are, or soon will be, out of date. */
void tls_facts_warn(const struct setup *setup);
/* Of the lists: those that end within a day, or have ended. Returns when to ask again: a day
 * later if there was one, else when the first will; INT64_MAX = never. ctx may be NULL. */
int64_t tls_facts_warn_of_lists(const struct tls_context *ctx, int64_t now_unix_s);

#endif
