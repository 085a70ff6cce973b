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
/* build_names.c: after hops. */
void build_domains(struct load *l, const struct schema_values *root);
/* A domain name in the arena; the U-label only where it differs. */
struct build_name {
    struct slice ascii;
    struct slice unicode;
};
/* NULL, or what is wrong with it (static). */
const char *build_read_name(struct load *l, struct slice text, struct build_name *out);
/* "is already a name of partners[3]; ..." */
#define BUILD_TAKEN_BYTES 160u
void build_taken_text(char out[BUILD_TAKEN_BYTES], const char *list, uint32_t idx);
/* build_access.c: after domains; blocked after partners. */
void build_groups(struct load *l, const struct schema_values *root);
void build_access(struct load *l, const struct schema_values *root);
void build_blocked(struct load *l, const struct schema_values *root);
/* The group that e names, marked as used; else reported and NULL. */
struct member_place;
struct entry;
const struct user_group *build_find_group(struct load *l, const struct member_place *place,
                                          const struct entry *e);
/* After partners: groups that nobody named. */
void build_check_groups(struct load *l);
/* build_partners.c: after groups; build_partner_extra.c: what few partners have. */
void build_partners(struct load *l, const struct schema_values *root);
void build_partner_extra(struct load *l, const struct schema_values *v, struct partner *partner);
/* What can only be said when everything is read: TLS without certificate, hops nobody uses, ... */
void build_finish(struct load *l, const struct schema_values *root);

#endif
