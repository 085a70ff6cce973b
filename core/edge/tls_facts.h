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
/* Of own certificates and lists that are, or soon will be, out of date. */
void tls_facts_warn(const struct setup *setup);

#endif
