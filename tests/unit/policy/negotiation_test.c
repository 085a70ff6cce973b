/* SPDX-License-Identifier: GPL-2.0-or-later */
/* negotiation_test: doc/negotiation.table against the truth table, and fedgate.conf(5) against it.
 * To write changed tables into the page: run policy_negotiation_test with
 * FEDGATE_WRITE_NEGOTIATION=1.                                                                   */
#include <criterion/criterion.h>

#include "base/buf.h"
#include "base/check.h"
#include "page.h"
#include "policy/partner.h"

#define PEERS          6u
#define CELLS          (2u * PEERS)


enum field { F_NUMBER, F_TLS, F_SASL, F_DIALBACK, F_VERDICT, F_REASON, F_OFFER };
#define OFFERS 3u
#define FIELDS (F_OFFER + OFFERS + CELLS)

struct line {
    struct slice field[FIELDS];
};

static void read_line(struct slice text, struct line *out)
{
    uint32_t count = 0;

    while (text.len > 0) {
        struct slice word;

        (void)slice_cut(&text, ' ', &word);
        if (word.len == 0 || slice_eq_cstr(word, "|")) {
            continue;
        }
        cr_assert_lt(count, FIELDS, "too many fields: %.*s", SLICE_FMT(word));
        out->field[count++] = word;
    }
    cr_assert_eq(count, FIELDS, "%u fields in row %.*s", count, SLICE_FMT(out->field[0]));
}

/* The 18 lines of the table, valid until another page is read. */
static const struct line *read_table(void)
{
    static struct line lines[PARTNER_ROW_COUNT];
    struct slice rest = slice_from_cstr(page_read("negotiation.table"));
    uint32_t count = 0;

    while (rest.len > 0) {
        struct slice at;

        (void)slice_cut(&rest, '\n', &at);
        if (at.len > 0 && at.ptr[0] != '#') {
            cr_assert_lt(count, PARTNER_ROW_COUNT, "too many rows");
            read_line(at, &lines[count++]);
        }
    }
    cr_assert_eq(count, PARTNER_ROW_COUNT);
    return lines;
}

#define EXPECT_FIELD(line, at, text)                                                               \
    cr_expect(slice_eq_cstr((line)->field[at], (text)), "row %.*s: the file says %.*s, not %s",    \
              SLICE_FMT((line)->field[F_NUMBER]), SLICE_FMT((line)->field[at]), (text))

Test(negotiation, the_file_has_the_rows_verdicts_and_reasons_of_the_program)
{
    const struct line *lines = read_table();

    for (uint32_t i = 0; i < PARTNER_ROW_COUNT; i++) {
        const struct partner_row *row = partner_row_at(i);
        const struct line *line = &lines[i];
        uint64_t number = 0;

        cr_assert(slice_parse_u64(line->field[F_NUMBER], &number));
        cr_expect_eq(number, row->number);
        EXPECT_FIELD(line, F_TLS, partner_level_name((enum partner_level)row->tls));
        EXPECT_FIELD(line, F_SASL, partner_level_name((enum partner_level)row->sasl));
        EXPECT_FIELD(line, F_DIALBACK, row->dialback ? "true" : "false");
        EXPECT_FIELD(line, F_VERDICT,
                     partner_verdict_name((enum partner_verdict)row->verdict));
        EXPECT_FIELD(line, F_REASON, row->reason[0] ? row->reason : "-");
    }
}

Test(negotiation, what_the_file_says_is_offered_is_offered)
{
    const struct line *lines = read_table();
    static const char *const dialback[] = {"no", "tls", "tcp", "both"};

    for (uint32_t i = 0; i < PARTNER_ROW_COUNT; i++) {
        const struct partner_row *row = partner_row_at(i);
        uint32_t over_tls = partner_row_allows(row, PARTNER_AUTH_DIALBACK_TLS) ? 1 : 0;
        uint32_t over_tcp = partner_row_allows(row, PARTNER_AUTH_DIALBACK_TCP) ? 2 : 0;

        EXPECT_FIELD(&lines[i], F_OFFER,
                     row->tls_require && row->tls_offer ? "required"
                     : row->tls_offer                   ? "offered"
                                                        : "no");
        EXPECT_FIELD(&lines[i], F_OFFER + 1, row->external_offer ? "valid" : "no");
        EXPECT_FIELD(&lines[i], F_OFFER + 2, dialback[over_tls + over_tcp]);
        cr_expect_eq(row->dialback_offer, over_tls + over_tcp != 0);
    }
}

/* A way to authenticate in a cell, with its bit; a step that fails, and what the page calls it. */
static const struct result {
    const char *name;
    uint32_t auth;
    const char *on_page;
} results[] = {
    {"external", PARTNER_AUTH_EXTERNAL, "EXTERNAL"},
    {"certificate", PARTNER_AUTH_CERTIFICATE, "certificate"},
    {"dialback-tls", PARTNER_AUTH_DIALBACK_TLS, "dialback"},
    {"dialback-tcp", PARTNER_AUTH_DIALBACK_TCP, "plain"},
    {"!tls", 0, "-tls"},
    {"!certificate", 0, "-cert"},
    {"!sasl", 0, "-sasl"},
    {"!dialback", 0, "-dialback"},
    {"-", 0, ""},
};

static const struct result *result_of(const struct line *line, uint32_t field)
{
    for (size_t i = 0; i < ARRAY_COUNT(results); i++) {
        if (slice_eq_cstr(line->field[field], results[i].name)) {
            return &results[i];
        }
    }
    cr_assert_fail("row %.*s: no such result: %.*s", SLICE_FMT(line->field[F_NUMBER]),
                   SLICE_FMT(line->field[field]));
    return NULL;
}

Test(negotiation, cells_are_ways_of_their_row_and_every_way_is_in_some_cell)
{
    const struct line *lines = read_table();

    for (uint32_t i = 0; i < PARTNER_ROW_COUNT; i++) {
        const struct partner_row *row = partner_row_at(i);
        bool is_rejected = row->verdict == PARTNER_VERDICT_REJECT;
        uint32_t seen = 0;

        for (uint32_t c = 0; c < CELLS; c++) {
            const struct result *r = result_of(&lines[i], F_OFFER + OFFERS + c);

            cr_expect_eq(is_rejected, r->on_page[0] == '\0', "row %u, cell %u", row->number, c);
            cr_expect(r->auth == 0 || partner_row_allows(row, r->auth), "row %u, cell %u: %s",
                      row->number, c, r->name);
            cr_expect(c >= PEERS || r->auth != PARTNER_AUTH_CERTIFICATE, "row %u, cell %u",
                      row->number, c);
            seen |= r->auth;
        }
        cr_expect_eq(seen, row->auth, "row %u: %x of %x", row->number, seen, row->auth);
    }
}

/* --- the page --- */

static bool are_alike(const struct line *a, const struct line *b, uint32_t from, uint32_t count)
{
    for (uint32_t f = from; f < from + count; f++) {
        if (!slice_eq(a->field[f], b->field[f])) {
            return false;
        }
    }
    return true;
}

/* Rows whose fields are the same share a line; refused rows have none. */
static void put_lines(struct buf *out, const struct line *lines, uint32_t from, uint32_t count)
{
    for (uint32_t i = 0; i < PARTNER_ROW_COUNT; i++) {
        bool is_first = partner_row_at(i)->verdict != PARTNER_VERDICT_REJECT;

        for (uint32_t before = 0; before < i && is_first; before++) {
            is_first = partner_row_at(before)->verdict == PARTNER_VERDICT_REJECT ||
                       !are_alike(&lines[before], &lines[i], from, count);
        }
        if (!is_first) {
            continue;
        }
        buf_printf(out, ".It %.*s", SLICE_FMT(lines[i].field[F_NUMBER]));
        for (uint32_t k = i + 1; k < PARTNER_ROW_COUNT; k++) {
            if (are_alike(&lines[k], &lines[i], from, count) &&
                partner_row_at(k)->verdict != PARTNER_VERDICT_REJECT) {
                buf_printf(out, " %.*s", SLICE_FMT(lines[k].field[F_NUMBER]));
            }
        }
        for (uint32_t f = from; f < from + count; f++) {
            if (from == F_OFFER) {
                buf_printf(out, " Ta %.*s", SLICE_FMT(lines[i].field[f]));
            } else {
                buf_printf(out, " Ta %s", result_of(&lines[i], f)->on_page);
            }
        }
        buf_putc(out, '\n');
    }
}

static void put_cells(struct buf *out, const struct line *lines, uint32_t from)
{
    buf_put_lit(out, ".Bl -column \"1 2 3 4 8 10\" no-tls EXTERNAL dialback no-external "
                     "no-dialback -dialback\n"
                     ".It rows Ta no-tls Ta valid Ta invalid Ta no-external Ta no-dialback Ta "
                     "neither\n");
    put_lines(out, lines, from, PEERS);
    buf_put_lit(out, ".El\n");
}

static void put_section(struct buf *out)
{
    const struct line *lines = read_table();

    buf_put_lit(out, "What is offered, to whoever connects and to whom we connect:\n"
                     ".Bl -column \"1 2 3 4 8 10\" STARTTLS EXTERNAL dialback\n"
                     ".It rows Ta STARTTLS Ta EXTERNAL Ta dialback\n");
    put_lines(out, lines, F_OFFER, OFFERS);
    buf_put_lit(out, ".El\n.Pp\nWhen this node connects:\n");
    put_cells(out, lines, F_OFFER + OFFERS);
    buf_put_lit(out, ".Pp\nWhen the partner connects:\n");
    put_cells(out, lines, F_OFFER + OFFERS + PEERS);
}

Test(negotiation, the_page_has_the_tables_of_the_file)
{
    page_check_section("negotiation", put_section, "FEDGATE_WRITE_NEGOTIATION");
}
