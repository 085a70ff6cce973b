/* SPDX-License-Identifier: GPL-2.0-or-later */
/* build: the parts of the loader that fill a snapshot (private to policy/), in the order of their
 * calling. Each reports all problems it finds and leaves the snapshot consistent enough for the
 * next; a snapshot with errors is never given out.                                               */
#ifndef FG_POLICY_BUILD_H
#define FG_POLICY_BUILD_H

#include "policy/load.h"
#include "policy/schema.h"

/* Paths of the file are relative to the file's folder. */
const char *build_path(struct load *l, struct slice path);

/* build_node.c: node, listen, tls, dns, gateway, limits, log, store. */
void build_gateway(struct load *l, const struct schema_values *root);
void build_limits(struct load *l, const struct schema_values *root);
void build_node(struct load *l, const struct schema_values *root);
void build_tls(struct load *l, const struct schema_values *root);
void build_dns(struct load *l, const struct schema_values *root);
void build_log(struct load *l, const struct schema_values *root);
/* Refuses a version that the chosen library does not have; after build_tls has read that. */
void build_check_tls_min(struct load *l, const struct schema_values *v, enum schema_key_idx key);
/* build_listen.c */
void build_listen(struct load *l, const struct schema_values *root);
/* build_hops.c */
void build_hops(struct load *l, const struct schema_values *root);
/* build_names.c: domains, partners; after hops. */
void build_domains(struct load *l, const struct schema_values *root);
void build_partners(struct load *l, const struct schema_values *root);
/* What can only be said when everything is read: TLS without certificate, hops nobody uses, ... */
void build_finish(struct load *l, const struct schema_values *root);

#endif
