/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan_int: what the parts of the import share (private to this room). */
#ifndef FG_IMPORT_PLAN_INT_H
#define FG_IMPORT_PLAN_INT_H

#include "import/plan.h"
#include "xmpp/jid.h"

/* --- note.c --- */

/* By its type's name, else by its members. *known: of IMPORT_KIND_KNOWN, what it is and why it is
 * left alone. */
enum import_kind import_kind_of(const struct import_tree *t, uint32_t record, const char **known);
/* "partner"; the cmdlet; the command that exports names instead of numbers as JSON. */
const char *import_kind_name(enum import_kind kind);
const char *import_kind_cmdlet(enum import_kind kind);
const char *import_kind_one_liner(enum import_kind kind);

/* Of the record being read. */
struct import_record {
    enum import_kind kind;
    struct import_plan *plan;
    const struct import_tree *tree;
    uint32_t node;
    struct import_place place;
    const char *object; /* arena: for notes */
    bool is_refused;
};

struct import_place import_place_of(struct import_plan *p, uint32_t offset);
/* object: arena or static. */
PRINTF_LIKE(5, 6)
void import_note_at(struct import_plan *p, enum import_level level,
                    const struct import_place *place, const char *object, const char *fmt, ...);
/* At the record; IMPORT_REFUSES marks it refused. */
PRINTF_LIKE(3, 4)
void import_note(struct import_record *r, enum import_level level, const char *fmt, ...);
/* Printf into the arena. */
PRINTF_LIKE(2, 3)
const char *import_printf(struct import_plan *p, const char *fmt, ...);
/* Counts an old property that became a key. from: any text. */
void import_mapped(struct import_plan *p, struct slice from, const char *to);
/* A plain heap list with one element more, zeroed, at *count - 1; returns where it is now. */
NODISCARD void *import_grow(void *list, uint32_t *count, uint32_t *cap, size_t bytes);

/* --- member.c: values of members, with the traps of the formats --- */

enum import_found {
    IMPORT_ABSENT,
    IMPORT_EMPTY, /* null */
    IMPORT_GOOD,
    IMPORT_BAD, /* noted as refused */
};
enum import_found import_take_text(struct import_record *r, const char *name, struct slice *out);
enum import_found import_take_bool(struct import_record *r, const char *name, bool *out);
/* All members of the record that are properties of props' section, but none of skip
 * (NULL-terminated); given: a bit for each key. path: of the section, "partners[].". The others
 * are noted. */
void import_set_all(struct import_record *r, struct props *props, uint32_t *given, const char *path,
                    const char *const *skip);
/* Without control characters and at most as long as key allows. */
struct slice import_clean_description(struct import_record *r, struct slice text);
/* Identity and Domain, which must be the same; false: refused. */
bool import_take_domain(struct import_record *r, struct slice *name, struct jid_ascii *key);
/* A member that does not come over: bookkeeping is counted, others are listed once. */
void import_leave_member(struct import_record *r, struct slice name);
/* All members but those in taken (NULL-terminated). */
void import_leave_others(struct import_record *r, const char *const *taken);
bool import_is_bookkeeping(struct slice name);
/* The spelling of a key, plain heap-free: "a.example" of "A.Example.". False: refused. */
bool import_domain_key(struct import_record *r, const char *what, struct slice name,
                       struct jid_ascii *key);

/* --- the kinds, a file each --- */

void import_partner(struct import_record *r);
void import_gateway(struct import_record *r);
void import_policy(struct import_record *r);
void import_user(struct import_record *r);
void import_allowed_domain(struct import_record *r);
void import_blocked_domain(struct import_record *r);

/* Finds a policy of the plan, by name without regard to case. NULL. */
struct import_policy *import_find_policy(struct import_plan *p, enum import_tier tier,
                                         struct slice name);
struct import_policy *import_add_policy(struct import_plan *p, enum import_tier tier,
                                        struct slice name);
void import_add_member(struct import_policy *policy, struct slice member);

/* --- judging --- */

void import_judge_partners(struct import_plan *p, const struct json_doc *doc);
void import_judge_gateway(struct import_plan *p, const struct json_doc *doc);
void import_judge_policies(struct import_plan *p, const struct json_doc *doc);
void import_judge_domains(struct import_plan *p, const struct json_doc *doc);

/* The same value, written or by default. */
bool import_same_value(const struct props *a, const struct props *b, enum schema_key_idx key);

#endif
