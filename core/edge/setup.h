/* SPDX-License-Identifier: GPL-2.0-or-later */
/* setup: what the control thread publishes to the shards: the policy snapshot together with the
 * credentials and primitives that go with it. Immutable; shards read it within a turn only. */
#ifndef FG_EDGE_SETUP_H
#define FG_EDGE_SETUP_H

#include "base/attr.h"
#include "policy/config.h"
#include "tls/tls.h"

struct issuers;
struct ktls_caps;

struct setup {
    struct snapshot *policy;     /* owned */
    struct tls_context *tls;     /* shared (ref); NULL = no certificate configured */
    const struct crypto *crypto; /* borrowed for ever */
    uint32_t generation; /* of the process, from 1: which came later, whatever shard looks */
    char secret[65];             /* dialback secret of this node, hex; wiped on free */
};

struct setup_params {
    const char *config_path;
    const char *secret; /* used when the configuration names none */
    const struct ktls_caps *kernel; /* what its TLS can do */
    struct issuers *issuers; /* of tls_context_params */
};
/* Reads the configuration and the certificates it names. ERR_CONFIG or ERR_TLS_*: *out is NULL and
 * report (empty before) says why. Control thread. */
NODISCARD int setup_load(struct setup **out, const struct setup_params *params,
                         struct config_report *report);
void setup_free(struct setup *s);
/* For engine_publish. */
void setup_free_void(void *s);

#endif
