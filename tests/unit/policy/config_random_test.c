/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_random_test: random documents. What is generated valid loads and says what was generated;
 * what is damaged is refused with a place inside the text or still loads: never both or neither. */
#include <stdio.h>

#include <criterion/criterion.h>

#include "base/err.h"
#include "base/pool.h"
#include "help.h"
#include "policy/users.h"

#define ROUNDS       400
#define PARTNERS_MAX 40u

static uint64_t state;

static uint32_t rnd(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 33) % below);
}

struct made {
    uint32_t row; /* idx */
    uint32_t more;
    uint32_t limit; /* 0 = not written */
    bool keepalive;
    bool suffix_match;
    uint32_t rate; /* 0 = not written */
    bool has_list;
};

/* Blanks and comments between tokens. */
static void put_gap(struct buf *b)
{
    static const char *const gaps[] = {"", " ", "\n", "\t", "/* , \"} */", "// {\n", "\r\n"};

    buf_put_cstr(b, gaps[rnd(ARRAY_COUNT(gaps))]);
}

/* What few partners have. */
static void put_extra(struct buf *b, uint32_t idx, struct made *made)
{
    made->suffix_match = rnd(4) == 0;
    made->rate = rnd(3) ? 0 : 1 + rnd(1000);
    made->has_list = rnd(4) == 0;
    if (made->suffix_match) {
        buf_put_lit(b, ",\"suffix_match\":true");
        put_gap(b);
    }
    if (made->rate) {
        buf_printf(b, ",\"stanza_rate_max\":%u,\"byte_rate_max\":%u", made->rate,
                   made->rate * 1000);
        put_gap(b);
    }
    if (made->has_list) {
        buf_printf(b, ",\"allowed_users\":[\"u%u@corp.example\"],\"blocked\":[\"u@p%u.example\"]",
                   idx, idx);
    }
}

static void put_partner(struct buf *b, uint32_t idx, struct made *made)
{
    const struct partner_row *row;

    do {
        made->row = rnd(PARTNER_ROW_COUNT);
        row = partner_row_at(made->row);
    } while (row->verdict == PARTNER_VERDICT_REJECT);
    made->more = rnd(4);
    made->limit = rnd(3) ? 0 : 1 + rnd(999);
    made->keepalive = rnd(2) != 0;
    put_gap(b);
    buf_printf(b, "{\"domain\":\"p%u.example\",", idx);
    put_gap(b);
    buf_printf(b, "\"tls\":\"%s\",\"sasl\":\"%s\",\"dialback\":%s,", partner_level_name(row->tls),
               partner_level_name(row->sasl), row->dialback ? "true" : "false");
    put_gap(b);
    buf_printf(b, "\"keepalive\":%s,\"connection_limit\":", made->keepalive ? "true" : "false");
    if (made->limit) {
        buf_put_u64(b, made->limit);
    } else {
        buf_put_lit(b, "null");
    }
    buf_put_lit(b, ",\"additional_domains\":[");
    for (uint32_t i = 0; i < made->more; i++) {
        buf_printf(b, "%s\"a%u.p%u.example\"", i ? "," : "", i, idx);
        put_gap(b);
    }
    buf_putc(b, ']');
    put_extra(b, idx, made);
    buf_putc(b, '}');
    put_gap(b);
}

static void put_document(struct buf *b, struct made *made, uint32_t count)
{
    buf_put_lit(b, "{\"node\":{\"name\":\"e.example\"},");
    buf_put_lit(b, "\"listen\":{\"xmpp_server\":[\"127.0.0.1:5269\"]},");
    buf_put_lit(b, "\"tls\":{\"certificate\":\"c\",\"key\":\"k\"},");
    buf_put_lit(b, "\"domains\":[{\"name\":\"corp.example\",\"next_hop\":\"pool\"}],");
    buf_put_lit(b, "\"next_hops\":{\"pool\":{\"kind\":\"sip\",\"uri\":\"sip:a.b;transport=tls\"}}");
    buf_put_lit(b, ",\"access\":{\"users\":{\"a\":{\"xmpp\":true,\"members\":"
                   "[\"corp.example\"]}}}");
    put_gap(b);
    buf_put_lit(b, ",\"partners\":[");
    for (uint32_t i = 0; i < count; i++) {
        if (i) {
            buf_putc(b, ',');
        }
        put_partner(b, i, &made[i]);
    }
    buf_put_lit(b, "]}");
    put_gap(b);
}

static void check_extra(const struct partner *p, uint32_t idx, const struct made *made)
{
    char user[16];

    (void)snprintf(user, sizeof(user), "u%u", idx);
    if (made->rate) {
        cr_assert_eq(p->extra->stanza_rate_max, made->rate);
        cr_assert_eq(p->extra->stanza_burst, made->rate);
        cr_assert_eq(p->extra->byte_rate_max, made->rate * 1000);
        cr_assert_geq(p->extra->byte_burst, 262144);
    }
    if (made->has_list) {
        cr_assert_eq(users_find(p->extra->allowed_users, slice_from_cstr(user),
                                SLICE_LIT("corp.example"), NULL),
                     USERS_BY_ADDRESS);
        cr_assert_eq(users_find(p->extra->blocked, SLICE_LIT("u"), p->domain, NULL),
                     USERS_BY_ADDRESS);
    }
}

static void check_made(const struct snapshot *s, const struct made *made, uint32_t count)
{
    cr_assert_eq(s->partner_count, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct partner *p = &s->partners[i];
        char name[32];

        (void)snprintf(name, sizeof(name), "p%u.example", i);
        cr_assert_eq(snapshot_partner(s, slice_from_cstr(name)), p);
        cr_assert_eq(p->row, partner_row_at(made[i].row));
        cr_assert_eq(p->connection_limit, made[i].limit ? made[i].limit : 20);
        cr_assert_eq(p->keepalive, made[i].keepalive);
        cr_assert_eq(p->more_domain_count, made[i].more);
        cr_assert_eq(p->suffix_match, made[i].suffix_match);
        cr_assert_eq(p->extra != NULL, made[i].rate || made[i].has_list);
        check_extra(p, i, &made[i]);
        (void)snprintf(name, sizeof(name), "zz.p%u.example", i);
        cr_assert_eq(snapshot_partner(s, slice_from_cstr(name)), made[i].suffix_match ? p : NULL);
        for (uint32_t j = 0; j < made[i].more; j++) {
            cr_assert_eq(snapshot_partner(s, p->more_domains[j]), p);
        }
    }
}

Test(config_random, valid_documents_say_what_was_written)
{
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct made made[PARTNERS_MAX];
        struct buf text;
        struct snapshot *s;
        uint32_t count;

        state = 0x9e3779b97f4a7c15u * (round + 1);
        count = rnd(PARTNERS_MAX + 1);
        buf_init(&text, 1 << 20);
        put_document(&text, made, count);
        s = help_load_text(buf_slice(&text));
        check_made(s, made, count);
        snapshot_free(s);
        buf_deinit(&text);
    }
}

/* Flips, cuts, doubles and swaps a few bytes. */
static void damage(char *text, size_t *len)
{
    static const char bytes[] = "{}[]\",:/*\\ 0eu-\xff\xc3\n";

    for (uint32_t i = 0; i <= rnd(4); i++) {
        size_t at = rnd((uint32_t)*len);

        switch (rnd(3)) {
        case 0:
            text[at] = bytes[rnd(sizeof(bytes) - 1)];
            break;
        case 1:
            memmove(text + at, text + at + 1, *len - at - 1);
            (*len)--;
            break;
        default:
            *len -= rnd((uint32_t)(*len - at)) % 64;
            break;
        }
    }
}

Test(config_random, damaged_documents_are_refused_with_a_place)
{
    uint32_t refused = 0;

    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct made made[PARTNERS_MAX];
        struct config_report report = {0};
        struct snapshot *s;
        struct buf b;
        size_t len;
        char *text;
        int err;

        state = 0xd1b54a32d192ed03u * (round + 1);
        buf_init(&b, 1 << 20);
        put_document(&b, made, 1 + rnd(4));
        len = buf_len(&b);
        text = pool_heap_strdup(buf_slice(&b).ptr, len);
        buf_deinit(&b);
        damage(text, &len);
        err = config_load(&s, "f", slice_make(text, len), &report);
        cr_assert_eq(err == 0, s != NULL);
        cr_assert_eq(err == 0, report.error_count == 0);
        cr_assert(err == 0 || err == ERR_CONFIG);
        refused += err != 0;
        for (uint32_t i = 0; i < report.count; i++) {
            cr_assert_geq(report.problems[i].line, 1);
            cr_assert_geq(report.problems[i].column, 1);
            cr_assert_leq(report.problems[i].column, len + 1);
        }
        config_report_deinit(&report);
        snapshot_free(s);
        pool_heap_free(text);
    }
    /* The damage must have happened: most of it is fatal. */
    cr_expect_gt(refused, ROUNDS / 2);
}
