/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lite_apply: items as statements, and the sums that are stored with the rows. */
#include <sqlite3.h>

#include "base/check.h"
#include "base/err.h"
#include "base/hash.h"
#include "store/lite_int.h"

static const char *const sqls[LITE_SQL_COUNT] = {
    [LITE_BEGIN] = "BEGIN IMMEDIATE",
    [LITE_COMMIT] = "COMMIT",
    [LITE_ROLLBACK] = "ROLLBACK",
    [LITE_PUT_CONTACT] =
        "INSERT INTO contact (local_user, local_domain, remote_user, remote_domain, direction,"
        " state, asked_by, asked_unix_s, changed_unix_s, sum,"
        " dialogs, dialogs_sum, document, document_sum)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"
        " ON CONFLICT (remote_domain, remote_user, local_domain, local_user, direction)"
        " DO UPDATE SET state = excluded.state, asked_by = excluded.asked_by,"
        " asked_unix_s = excluded.asked_unix_s, changed_unix_s = excluded.changed_unix_s,"
        " sum = excluded.sum,"
        " dialogs = iif(?15, dialogs, excluded.dialogs),"
        " dialogs_sum = iif(?15, dialogs_sum, excluded.dialogs_sum),"
        " document = iif(?16, document, excluded.document),"
        " document_sum = iif(?16, document_sum, excluded.document_sum)",
    [LITE_DROP_CONTACT] =
        "DELETE FROM contact WHERE local_user = ?1 AND local_domain = ?2 AND remote_user = ?3"
        " AND remote_domain = ?4 AND direction = ?5",
    [LITE_PUT_REACH] =
        "INSERT INTO reach (local_user, local_domain, remote_user, remote_domain, flags,"
        " wrote_unix_s, sum) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
        " ON CONFLICT (remote_domain, remote_user, local_domain, local_user)"
        " DO UPDATE SET flags = excluded.flags, wrote_unix_s = excluded.wrote_unix_s,"
        " sum = excluded.sum",
    [LITE_DROP_REACH] =
        "DELETE FROM reach WHERE local_user = ?1 AND local_domain = ?2 AND remote_user = ?3"
        " AND remote_domain = ?4",
    [LITE_TRIM_REACH] = "DELETE FROM reach WHERE id IN"
                        " (SELECT id FROM reach ORDER BY flags != 0, wrote_unix_s LIMIT ?1)",
    [LITE_PUT_FACT] = "INSERT OR REPLACE INTO fact VALUES (?1, ?2)",
    [LITE_DROP_FACT] = "DELETE FROM fact WHERE name = ?1",
};

/* --- sums ------------------------------------------------------------------------------------- */

/* Against accidents, not against people: whoever can write the file can write the sums. Fixed for
 * ever, because it is stored. */
static const struct hash_key sum_key = {0x66656467617465u, 0x73746f7265u};

struct summer {
    char bytes[4 * (STORE_ADDRESS_BYTES_MAX + sizeof(uint32_t)) + 5 * sizeof(uint64_t)];
    size_t len;
};

static void put_number(struct summer *s, uint64_t n)
{
    for (uint32_t i = 0; i < sizeof(n); i++) {
        s->bytes[s->len++] = (char)(n >> (8 * i));
    }
}

static void put_text(struct summer *s, struct slice text)
{
    ASSERT(text.len <= STORE_ADDRESS_BYTES_MAX);
    for (uint32_t i = 0; i < sizeof(uint32_t); i++) {
        s->bytes[s->len++] = (char)(text.len >> (8 * i));
    }
    if (text.len) {
        memcpy(s->bytes + s->len, text.ptr, text.len);
        s->len += text.len;
    }
}

static void put_pair(struct summer *s, const struct store_pair *p)
{
    s->len = 0;
    put_text(s, p->local_user);
    put_text(s, p->local_domain);
    put_text(s, p->remote_user);
    put_text(s, p->remote_domain);
}

int64_t lite_sum_bytes(struct slice s)
{
    return (int64_t)hash_bytes_keyed(sum_key, s);
}

int64_t lite_sum_contact(const struct store_contact *c)
{
    UNINITIALIZED struct summer s;

    put_pair(&s, &c->pair);
    put_number(&s, (uint64_t)c->direction);
    put_number(&s, (uint64_t)c->state);
    put_number(&s, (uint64_t)c->asked_by);
    put_number(&s, (uint64_t)c->asked_unix_s);
    put_number(&s, (uint64_t)c->changed_unix_s);
    return lite_sum_bytes(slice_make(s.bytes, s.len));
}

int64_t lite_sum_reach(const struct store_reach *r)
{
    UNINITIALIZED struct summer s;

    put_pair(&s, &r->pair);
    put_number(&s, r->flags);
    put_number(&s, (uint64_t)r->wrote_unix_s);
    return lite_sum_bytes(slice_make(s.bytes, s.len));
}

/* --- items ------------------------------------------------------------------------------------ */

int lite_prepare(struct lite *l)
{
    int code = SQLITE_OK;

    for (uint32_t i = 0; !code && i < LITE_SQL_COUNT; i++) {
        code = sqlite3_prepare_v3(l->db, sqls[i], -1, SQLITE_PREPARE_PERSISTENT, &l->stmts[i],
                                  NULL);
    }
    return code;
}

/* Empty is a text, not NULL. Borrowed until the statement is reset. */
static void bind_text(struct sqlite3_stmt *stmt, int at, struct slice s)
{
    (void)sqlite3_bind_text(stmt, at, s.len ? s.ptr : "", (int)s.len, SQLITE_STATIC);
}

static void bind_pair(struct sqlite3_stmt *stmt, const struct store_pair *p)
{
    bind_text(stmt, 1, p->local_user);
    bind_text(stmt, 2, p->local_domain);
    bind_text(stmt, 3, p->remote_user);
    bind_text(stmt, 4, p->remote_domain);
}

/* Empty is NULL. Its sum stands behind it. */
static void bind_bytes(struct sqlite3_stmt *stmt, int at, struct slice s)
{
    if (s.len == 0) {
        (void)sqlite3_bind_null(stmt, at);
        (void)sqlite3_bind_null(stmt, at + 1);
        return;
    }
    (void)sqlite3_bind_blob(stmt, at, s.ptr, (int)s.len, SQLITE_STATIC);
    (void)sqlite3_bind_int64(stmt, at + 1, lite_sum_bytes(s));
}

static void bind_contact(struct sqlite3_stmt *stmt, const struct store_contact *c)
{
    bind_pair(stmt, &c->pair);
    (void)sqlite3_bind_int(stmt, 5, (int)c->direction);
    (void)sqlite3_bind_int(stmt, 6, (int)c->state);
    (void)sqlite3_bind_int(stmt, 7, (int)c->asked_by);
    (void)sqlite3_bind_int64(stmt, 8, c->asked_unix_s);
    (void)sqlite3_bind_int64(stmt, 9, c->changed_unix_s);
    (void)sqlite3_bind_int64(stmt, 10, lite_sum_contact(c));
    bind_bytes(stmt, 11, c->keep_dialogs ? SLICE_NONE : c->dialogs);
    bind_bytes(stmt, 13, c->keep_document ? SLICE_NONE : c->document);
    (void)sqlite3_bind_int(stmt, 15, c->keep_dialogs);
    (void)sqlite3_bind_int(stmt, 16, c->keep_document);
}

/* Results of bind are not looked at: it refuses only indexes and sizes that do not occur. */
static struct sqlite3_stmt *bind(struct lite *l, const struct store_item *item)
{
    struct sqlite3_stmt *stmt;

    switch (item->what) {
    case STORE_PUT_CONTACT:
        stmt = l->stmts[LITE_PUT_CONTACT];
        bind_contact(stmt, &item->contact);
        return stmt;
    case STORE_DROP_CONTACT:
        stmt = l->stmts[LITE_DROP_CONTACT];
        bind_pair(stmt, &item->contact.pair);
        (void)sqlite3_bind_int(stmt, 5, (int)item->contact.direction);
        return stmt;
    case STORE_PUT_REACH:
        stmt = l->stmts[LITE_PUT_REACH];
        bind_pair(stmt, &item->reach.pair);
        (void)sqlite3_bind_int64(stmt, 5, item->reach.flags);
        (void)sqlite3_bind_int64(stmt, 6, item->reach.wrote_unix_s);
        (void)sqlite3_bind_int64(stmt, 7, lite_sum_reach(&item->reach));
        l->reach_rows++;
        return stmt;
    case STORE_DROP_REACH:
        stmt = l->stmts[LITE_DROP_REACH];
        bind_pair(stmt, &item->reach.pair);
        return stmt;
    case STORE_PUT_FACT:
        stmt = l->stmts[LITE_PUT_FACT];
        bind_text(stmt, 1, item->fact.name);
        bind_text(stmt, 2, item->fact.value);
        return stmt;
    case STORE_DROP_FACT:
        stmt = l->stmts[LITE_DROP_FACT];
        bind_text(stmt, 1, item->fact.name);
        return stmt;
    case STORE_WHAT_COUNT:
        break;
    }
    UNREACHABLE("checked before it was queued");
}

int lite_apply(void *self, const struct store_item *item)
{
    struct lite *l = self;
    struct sqlite3_stmt *stmt = bind(l, item);
    int code = sqlite3_step(stmt);

    (void)sqlite3_reset(stmt);
    return lite_err(l->db, code);
}
