/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lite_load: every row, once. What is not what it should be is left out, told and kept aside. */
#include <stdio.h>
#include <time.h>

#include <sqlite3.h>

#include "base/check.h"
#include "base/err.h"
#include "base/log.h"
#include "base/pool.h"
#include "store/lite_int.h"
#include "store/record.h"

/* Of one start; what is beyond is left out, too, and comes aside with the next. */
#define DAMAGES_MAX 10000u

enum table { TABLE_CONTACT, TABLE_REACH, TABLE_FACT };
enum part { PART_ROW, PART_DIALOGS, PART_DOCUMENT };

struct damage {
    int64_t id;
    enum table table;
    enum part part;
    const char *reason; /* static */
};

struct loader {
    struct lite *l;
    const struct store_reader *reader;
    struct store_load_report *report;
    struct damage *damages; /* owned, heap */
    uint32_t damage_count;
    uint32_t damage_room;
};

static void note_damage(struct loader *o, const struct damage *d, const struct store_pair *p)
{
    static const char *const tables[] = {"contact", "reach", "fact"};
    static const char *const parts[] = {"row", "dialogs", "document"};

    o->report->damaged++;
    LOG_E(store_damaged, "table=%s id=%lld part=%s reason=%s remote=%s at=%s local=%s at=%s",
          tables[d->table], (long long)d->id, parts[d->part], d->reason,
          log_quote(p->remote_user).text, log_quote(p->remote_domain).text,
          log_quote(p->local_user).text, log_quote(p->local_domain).text);
    if (o->damage_count == DAMAGES_MAX) {
        return;
    }
    if (o->damage_count == o->damage_room) {
        o->damage_room = o->damage_room ? o->damage_room * 2 : 16;
        o->damages = pool_heap_grow(o->damages, o->damage_room * sizeof(*o->damages));
    }
    o->damages[o->damage_count++] = *d;
}

/* Bytes of whatever type it is; valid until the next step. */
static struct slice column(struct sqlite3_stmt *stmt, int at)
{
    const void *bytes = sqlite3_column_blob(stmt, at);

    return slice_make(bytes, bytes ? (size_t)sqlite3_column_bytes(stmt, at) : 0);
}

static bool is_int(struct sqlite3_stmt *stmt, int from, int to)
{
    for (int at = from; at <= to; at++) {
        if (sqlite3_column_type(stmt, at) != SQLITE_INTEGER) {
            return false;
        }
    }
    return true;
}

static struct store_pair column_pair(struct sqlite3_stmt *stmt)
{
    return (struct store_pair){column(stmt, 1), column(stmt, 2), column(stmt, 3), column(stmt, 4)};
}

/* An enum out of what may be any number. */
static int small(struct sqlite3_stmt *stmt, int at)
{
    int64_t n = sqlite3_column_int64(stmt, at);

    return n >= 0 && n <= INT16_MAX ? (int)n : INT16_MAX;
}

static struct slice part_of(struct loader *o, struct sqlite3_stmt *stmt, int at, enum part part,
                            const struct store_pair *pair)
{
    struct slice bytes = column(stmt, at);
    struct damage d = {sqlite3_column_int64(stmt, 0), TABLE_CONTACT, part, "sum"};

    if (sqlite3_column_type(stmt, at) == SQLITE_NULL) {
        return SLICE_NONE;
    }
    if (!is_int(stmt, at + 1, at + 1) ||
        sqlite3_column_int64(stmt, at + 1) != lite_sum_bytes(bytes)) {
        note_damage(o, &d, pair);
        return SLICE_NONE;
    }
    return bytes;
}

static int load_contact(struct loader *o, struct sqlite3_stmt *stmt)
{
    struct damage d = {sqlite3_column_int64(stmt, 0), TABLE_CONTACT, PART_ROW, "nonsense"};
    struct store_item item = {.what = STORE_PUT_CONTACT};
    struct store_contact *c = &item.contact;

    c->pair = column_pair(stmt);
    c->direction = (enum store_direction)small(stmt, 5);
    c->state = (enum store_state)small(stmt, 6);
    c->asked_by = (enum store_asker)small(stmt, 7);
    c->asked_unix_s = sqlite3_column_int64(stmt, 8);
    c->changed_unix_s = sqlite3_column_int64(stmt, 9);
    if (!is_int(stmt, 5, 10) || record_check(&item)) {
        note_damage(o, &d, &c->pair);
        return 0;
    }
    if (sqlite3_column_int64(stmt, 10) != lite_sum_contact(c)) {
        d.reason = "sum";
        note_damage(o, &d, &c->pair);
        return 0;
    }
    c->dialogs = part_of(o, stmt, 11, PART_DIALOGS, &c->pair);
    c->document = part_of(o, stmt, 13, PART_DOCUMENT, &c->pair);
    o->report->contacts++;
    return o->reader->contact ? o->reader->contact(o->reader->ctx, c) : 0;
}

static int load_reach(struct loader *o, struct sqlite3_stmt *stmt)
{
    struct damage d = {sqlite3_column_int64(stmt, 0), TABLE_REACH, PART_ROW, "nonsense"};
    struct store_item item = {.what = STORE_PUT_REACH};
    struct store_reach *r = &item.reach;
    bool is_good = is_int(stmt, 5, 7);

    r->pair = column_pair(stmt);
    r->flags = (uint32_t)small(stmt, 5);
    r->wrote_unix_s = sqlite3_column_int64(stmt, 6);
    is_good = is_good && !record_check(&item);
    if (is_good && sqlite3_column_int64(stmt, 7) != lite_sum_reach(r)) {
        is_good = false;
        d.reason = "sum";
    }
    if (!is_good) {
        note_damage(o, &d, &r->pair);
        return 0;
    }
    o->report->reach++;
    return o->reader->reach ? o->reader->reach(o->reader->ctx, r) : 0;
}

static int load_fact(struct loader *o, struct sqlite3_stmt *stmt)
{
    struct store_fact f = {column(stmt, 0), column(stmt, 1)};

    o->report->facts++;
    return o->reader->fact ? o->reader->fact(o->reader->ctx, &f) : 0;
}

typedef int load_row_fn(struct loader *o, struct sqlite3_stmt *stmt);

static int load_table(struct loader *o, const char *sql, load_row_fn *load_row, char *why,
                      size_t why_bytes)
{
    struct sqlite3_stmt *stmt;
    int code = sqlite3_prepare_v2(o->l->db, sql, -1, &stmt, NULL);
    int err = 0;

    while (!code && !err) {
        code = sqlite3_step(stmt);
        if (code == SQLITE_ROW) {
            code = SQLITE_OK;
            err = load_row(o, stmt);
            if (err) {
                (void)snprintf(why, why_bytes, "store: %s: loading ended: %s", o->l->path,
                               err_text(err));
            }
        }
    }
    if (!err && code != SQLITE_DONE) {
        err = lite_why(o->l->db, o->l->path, lite_err(o->l->db, code), why, why_bytes);
    }
    (void)sqlite3_finalize(stmt);
    return err;
}

/* --- aside ------------------------------------------------------------------------------------ */

static const char *const copies[] = {
    [TABLE_CONTACT] =
        "INSERT INTO damaged (found_unix_s, source, reason, source_id, local_user, local_domain,"
        " remote_user, remote_domain, direction, state, asked_by, asked_unix_s, changed_unix_s,"
        " dialogs, document) SELECT ?1, 'contact', ?2, id, local_user, local_domain, remote_user,"
        " remote_domain, direction, state, asked_by, asked_unix_s, changed_unix_s, dialogs,"
        " document FROM contact WHERE id = ?3",
    [TABLE_REACH] =
        "INSERT INTO damaged (found_unix_s, source, reason, source_id, local_user, local_domain,"
        " remote_user, remote_domain, flags, wrote_unix_s) SELECT ?1, 'reach', ?2, id, local_user,"
        " local_domain, remote_user, remote_domain, flags, wrote_unix_s FROM reach WHERE id = ?3",
};

static const char *removal(const struct damage *d)
{
    switch (d->part) {
    case PART_DIALOGS:
        return "UPDATE contact SET dialogs = NULL, dialogs_sum = NULL WHERE id = ?3";
    case PART_DOCUMENT:
        return "UPDATE contact SET document = NULL, document_sum = NULL WHERE id = ?3";
    case PART_ROW:
        break;
    }
    return d->table == TABLE_CONTACT ? "DELETE FROM contact WHERE id = ?3"
                                     : "DELETE FROM reach WHERE id = ?3";
}

static int run(struct lite *l, const char *sql, const struct damage *d)
{
    struct sqlite3_stmt *stmt;
    int code = sqlite3_prepare_v2(l->db, sql, -1, &stmt, NULL);

    if (code) {
        return code;
    }
    if (sqlite3_bind_parameter_index(stmt, "?1") != 0) {
        (void)sqlite3_bind_int64(stmt, 1, (int64_t)time(NULL));
        (void)sqlite3_bind_text(stmt, 2, d->reason, -1, SQLITE_STATIC);
    }
    (void)sqlite3_bind_int64(stmt, 3, d->id);
    code = sqlite3_step(stmt);
    (void)sqlite3_finalize(stmt);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int put_aside(struct loader *o, char *why, size_t why_bytes)
{
    struct lite *l = o->l;
    int code;

    if (o->damage_count == 0) {
        return 0;
    }
    code = lite_exec(l->db, "BEGIN IMMEDIATE");
    for (uint32_t i = 0; !code && i < o->damage_count; i++) {
        code = run(l, copies[o->damages[i].table], &o->damages[i]);
        code = code ? code : run(l, removal(&o->damages[i]), &o->damages[i]);
    }
    code = code ? code : lite_exec(l->db, "COMMIT");
    if (code) {
        int err = lite_why(l->db, l->path, lite_err(l->db, code), why, why_bytes);

        lite_rollback(l);
        return err;
    }
    return 0;
}

int lite_load(void *self, const struct store_reader *reader, struct store_load_report *report,
              char *why, size_t why_bytes)
{
    struct loader o = {.l = self, .reader = reader, .report = report};
    int err;

    err = load_table(&o, "SELECT name, value FROM fact", load_fact, why, why_bytes);
    err = err ? err
              : load_table(&o,
                           "SELECT id, local_user, local_domain, remote_user, remote_domain,"
                           " direction, state, asked_by, asked_unix_s, changed_unix_s, sum,"
                           " dialogs, dialogs_sum, document, document_sum FROM contact",
                           load_contact, why, why_bytes);
    err = err ? err
              : load_table(&o,
                           "SELECT id, local_user, local_domain, remote_user, remote_domain,"
                           " flags, wrote_unix_s, sum FROM reach",
                           load_reach, why, why_bytes);
    err = err ? err : put_aside(&o, why, why_bytes);
    o.l->reach_rows = report->reach;
    pool_heap_free(o.damages);
    return err;
}
