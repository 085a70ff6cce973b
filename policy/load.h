/* SPDX-License-Identifier: GPL-2.0-or-later */
/* load: what the parts of the loader share (private to policy/): the document, the list of
 * problems, the snapshot being built. One object on the stack of config_load.                    */
#ifndef FG_POLICY_LOAD_H
#define FG_POLICY_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/map.h"
#include "base/slice.h"
#include "policy/arena.h"
#include "policy/config.h"
#include "policy/json.h"
#include "policy/snapshot.h"

/* Which object is being read: "partners[3]", "next_hops.pool", "gateway", "". */
struct load_where {
    const char *section; /* static */
    struct slice name;   /* member of a map; borrowed from the document */
    uint32_t idx;        /* element of a list */
    enum { LOAD_AT_SECTION, LOAD_AT_IDX, LOAD_AT_NAME } kind;
};

struct load_problem {
    struct config_problem problem; /* owned until it moves into the report */
    uint32_t offset;               /* in the document; JSON_NONE = the file as a whole */
    uint32_t seq;                  /* order of finding, for a stable sort */
};

struct load {
    const char *file;    /* borrowed */
    struct slice folder; /* of the file, with '/', or empty; borrowed */
    struct json_doc doc;
    struct snapshot *snapshot;     /* owned until given out */
    struct arena *arena;           /* snapshot's */
    struct load_problem *problems; /* owned */
    uint32_t problem_count;
    uint32_t problem_cap;
    uint32_t kept_warnings; /* among problems */
    uint32_t error_count;
    uint32_t warning_count;
    /* Mutable views of what the snapshot shows as constant. */
    struct next_hop *next_hops;
    uint32_t *hop_nodes;    /* arena: idx -> KEY node */
    bool *hop_is_used;      /* arena */
    uint32_t *domain_nodes; /* arena: idx -> node */
    struct local_domain *domains;
    struct partner *partners;
    bool has_bad_domain;   /* one of ours is unknown: nothing is said about names that may be its */
    bool has_bad_groups;   /* the same for groups */
    struct map group_map;  /* owned: name -> struct user_group */
    bool *group_is_used;   /* arena: by idx */
    uint32_t *group_nodes; /* arena: idx -> KEY node */
    struct credential *credentials; /* arena: by domain idx; no path = none of its own */
    /* Seen on the way, judged in build_finish. */
    struct credential default_credential;
    bool has_default_credential; /* written, good or not */
    bool needs_tls;              /* some partner, listener or hop does TLS */
    uint32_t listens_of[LISTEN_KIND_COUNT];
};

/* Copies path ("" = the file) and text, which says what is wrong and what is allowed. */
void load_problem_at(struct load *l, bool is_warning, uint32_t offset, const char *path,
                     const char *text);
/* Whether the next problem will only be counted, so that its text need not be made. An error still
 * takes the place of a warning. */
static inline bool load_is_full(const struct load *l, bool is_warning)
{
    return l->problem_count == CONFIG_PROBLEMS_MAX && (is_warning || l->kept_warnings == 0);
}
#define LOAD_PATH_BYTES 192u
/* The path of key (NULL: the object itself) in the object at where; element >= 0: of one element of
 * that key's list. */
void load_path(char out[LOAD_PATH_BYTES], const struct load_where *where, const char *key,
               int32_t element);
/* Letters, digits, '_', '-'; else a path shows the name in quotes. */
bool load_is_plain_name(struct slice name);
/* Fills *report from the problems, sorted by place. */
void load_report(struct load *l, struct config_report *report);

#endif
