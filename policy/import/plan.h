/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan: what an import will do, before anything is done: exports are added file by file, then the
 * plan is held against the configuration that is there (or none), then written: as changes of that
 * configuration or as a fragment. Everything worth saying is a note with its place.
 * Old settings keep what they meant; what would mean more than it did is refused or warned about.
 * Threads: one. Memory: plain heap and an arena; secrets are not kept. */
#ifndef FG_IMPORT_PLAN_H
#define FG_IMPORT_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/map.h"
#include "base/slice.h"
#include "import/tree.h"
#include "policy/arena.h"
#include "policy/props.h"

#define IMPORT_NOTES_MAX 2000u /* of each level; more are counted */
#define IMPORT_FILES_MAX 64u

/* What an exported object is. */
enum import_kind {
    IMPORT_KIND_PARTNER,
    IMPORT_KIND_GATEWAY,
    IMPORT_KIND_POLICY,
    IMPORT_KIND_USER,
    IMPORT_KIND_ALLOWED,
    IMPORT_KIND_BLOCKED,
    IMPORT_KIND_KNOWN, /* of the old product, nothing to import */
    IMPORT_KIND_UNKNOWN,
    IMPORT_KIND_COUNT
};

enum import_level {
    IMPORT_WARNS,   /* comes over, but does not mean what one might think */
    IMPORT_IGNORES, /* does not come over, and why that is right */
    IMPORT_REFUSES, /* cannot come over: something has to be decided or exported again */
    IMPORT_LEVEL_COUNT
};

struct import_note {
    enum import_level level;
    uint32_t file; /* of plan.files */
    uint32_t line; /* 0 = the file as a whole */
    uint32_t column;
    const char *object; /* arena: "partner fabrikam.example"; "" = none */
    const char *text;   /* arena */
};

struct import_file {
    const char *name; /* arena */
    uint32_t records;
};

/* Where an object comes from. */
struct import_place {
    uint32_t file;
    uint32_t line;
    uint32_t column;
};

enum import_action {
    IMPORT_ADDS,
    IMPORT_UPDATES,
    IMPORT_SAME,    /* as the configuration has it */
    IMPORT_LEAVES,  /* it has another, which stays (no --update) */
    IMPORT_DROPPED, /* refused */
    IMPORT_ACTION_COUNT
};
/* "new", "updated", "as it is", "left", "refused". */
const char *import_action_name(enum import_action action);

struct import_partner {
    struct props props;
    uint32_t given; /* bit i: the i-th key of the section was exported */
    struct import_place place;
    enum import_action action;
    uint32_t node;      /* in the configuration; JSON_NONE */
    struct slice key;   /* arena: primary domain, A-labels */
    struct slice *more; /* arena: the others', A-labels */
    uint32_t more_count;
    uint8_t row; /* 1..18, as exported */
};

enum import_tier { IMPORT_GLOBAL, IMPORT_SITE, IMPORT_USER, IMPORT_TIER_COUNT };
/* "access.global", "access.sites", "access.users" */
const char *import_tier_path(enum import_tier tier);

struct import_policy {
    enum import_tier tier;
    struct slice name;    /* arena; empty for the global one */
    bool is_members_only; /* users name it, and only the configuration knows it */
    bool xmpp;
    bool sip_federation;
    struct slice description; /* arena */
    struct slice *members;    /* owned list; arena texts */
    uint32_t member_count;
    uint32_t member_cap;
    struct import_place place;
    enum import_action action;
    uint32_t node;
};

/* A user and the policy granted: judged when all files are read. */
struct import_grant {
    struct slice member; /* arena */
    struct slice policy; /* arena */
    struct import_place place;
};

struct import_domain {
    struct slice key;  /* arena: A-labels */
    struct slice name; /* arena: as written */
    struct import_place place;
    enum import_action action;
};

struct import_domains {
    struct import_domain *list; /* owned */
    uint32_t count;
    uint32_t cap;
    struct map known; /* key -> index + 1 */
};

/* An old property and the key it became. */
struct import_mapping {
    const char *from; /* arena */
    const char *to;   /* arena: "partners[].tls" */
    uint32_t count;   /* objects that had it */
};

struct import_plan {
    struct arena *arena; /* owned */
    bool replaces;       /* --update: what the configuration has becomes what was exported */
    struct import_file files[IMPORT_FILES_MAX];
    uint32_t file_count;
    struct import_partner *partners; /* owned */
    uint32_t partner_count;
    uint32_t partner_cap;
    struct map partner_of; /* A-label -> index + 1; primary and additional domains */
    struct props gateway;
    uint32_t gateway_given;
    bool has_gateway;
    struct import_place gateway_place;
    enum import_action gateway_action;
    struct import_policy *policies; /* owned */
    uint32_t policy_count;
    uint32_t policy_cap;
    struct import_grant *grants; /* owned */
    uint32_t grant_count;
    uint32_t grant_cap;
    struct import_domains allowed;
    struct import_domains blocked;
    struct import_note *notes; /* owned */
    uint32_t note_count;
    uint32_t note_cap;
    uint32_t totals[IMPORT_LEVEL_COUNT]; /* with those not kept */
    struct import_mapping *mappings;     /* owned */
    uint32_t mapping_count;
    uint32_t mapping_cap;
    uint32_t row_counts[19];                /* partners by row of the truth table, [1]..[18] */
    uint32_t bookkeeping;                   /* members that mean nothing outside the old product */
    uint32_t users;                         /* exported, with or without a policy */
    uint32_t told_names[IMPORT_KIND_COUNT]; /* file_count when the remedy was told last */
    uint32_t told_depth[IMPORT_KIND_COUNT];
    bool told_sip; /* that sip_federation has no effect yet */
    /* Of the file being read. */
    struct slice text;
    size_t counted; /* line and column are those of this offset */
    uint32_t line;
    uint32_t column;
};

void import_plan_init(struct import_plan *p);
void import_plan_deinit(struct import_plan *p);

/* Adds what a file holds. 0; ERR_BAD_INPUT: the file as a whole cannot be used, noted as refused;
 * -errno: it cannot be read, nothing is noted. */
NODISCARD int import_plan_add_file(struct import_plan *p, const char *path);
/* The same from a text already read (tests, fuzzing). */
NODISCARD int import_plan_add_text(struct import_plan *p, const char *name, struct slice text);

/* Behind the last file: holds the plan against a configuration ("{}" for a fragment) and against
 * itself. replaces: plan.replaces. */
void import_plan_judge(struct import_plan *p, const struct json_doc *doc);

/* Whether it would change or write anything. */
bool import_plan_has_work(const struct import_plan *p);

#endif
