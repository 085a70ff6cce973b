/* SPDX-License-Identifier: GPL-2.0-or-later */
/* manual_test: fedgate.conf(5) against the program: its examples load, its keys, ranges and
 * defaults are those of config.def, its negotiation table is the truth table. To write a changed
 * table into the page: run policy_test with FEDGATE_WRITE_MANUAL=1.                              */
#include <stdio.h>
#include <stdlib.h>

#include <criterion/criterion.h>

#include "base/pool.h"
#include "help.h"
#include "page.h"
#include "policy/decide.h"
#include "policy/schema.h"

static char *read_page(void)
{
    return page_read("man/fedgate.conf.5");
}

/* roff's spelling of what the examples hold. */
static void unroff(struct buf *out, const char *from, const char *end)
{
    while (from < end) {
        if (strncmp(from, "\\(:u", 4) == 0) {
            buf_put_lit(out, "\xc3\xbc");
            from += 4;
        } else {
            buf_putc(out, *from++);
        }
    }
}

/* The files that stand in the page before the configurations that name them. */
static void write_files(const char *folder)
{
    static const char mark[] = "\n.\\\" file ";
    static const char block[] = "\n.Bd -literal -offset indent\n";
    const char *at = read_page();
    uint32_t count = 0;

    while ((at = strstr(at, mark))) {
        const char *name = at + sizeof(mark) - 1;
        const char *from = strstr(name, block);
        const char *end = strstr(name, "\n.Ed");
        char file[256];
        FILE *f;

        cr_assert(from && end && from < end && from == strchr(name, '\n'));
        from += sizeof(block) - 1;
        (void)snprintf(file, sizeof(file), "%s/%.*s", folder, (int)(strchr(name, '\n') - name),
                       name);
        f = fopen(file, "w");
        cr_assert_not_null(f, "%s", file);
        (void)fprintf(f, "%.*s\n", (int)(end - from), from);
        cr_assert_eq(fclose(f), 0);
        count++;
        at = end;
    }
    cr_expect_geq(count, 1);
}

Test(manual, its_examples_load)
{
    char folder[] = "/tmp/manual_test_XXXXXX";
    char file[64];
    const char *at;
    uint32_t count = 0;

    cr_assert_not_null(mkdtemp(folder));
    write_files(folder);
    (void)snprintf(file, sizeof(file), "%s/fedgate.conf", folder);
    at = read_page();
    while ((at = strstr(at, ".Bd -literal -offset indent\n{"))) {
        const char *end = strstr(at, "\n.Ed");
        struct buf text;

        at = strchr(at, '\n') + 1;
        cr_assert_not_null(end);
        buf_init(&text, 65536);
        unroff(&text, at, end);
        cr_expect_str_eq(help_report_at(file, buf_slice(&text)), "", "%.*s",
                         SLICE_FMT(buf_slice(&text)));
        buf_deinit(&text);
        count++;
        at = end;
    }
    cr_expect_geq(count, 6, "%u", count);
    help_remove_folder(folder);
}

/* The page's example of a mistake is what its first example with that mistake yields. */
Test(manual, its_mistake_is_reported_like_that)
{
    const char *page = read_page();
    const char *from = strstr(page, ".Bd -literal -offset indent\n{");
    const char *key;
    const char *end;
    const char *report;
    char line[256];
    struct buf text;

    cr_assert_not_null(from);
    from = strchr(from, '\n') + 1;
    key = strstr(from, "\"dialback\"");
    end = strstr(from, "\n.Ed");
    cr_assert(key && end && key < end);
    buf_init(&text, 65536);
    buf_append(&text, from, (size_t)(key - from));
    buf_put_lit(&text, "\"dialbak\"");
    buf_append(&text, key + strlen("\"dialback\""), (size_t)(end - key) - strlen("\"dialback\""));
    report = help_report_text(buf_slice(&text));
    buf_deinit(&text);
    report = strstr(report, "partners[0].dialbak:") ? report : "";
    (void)snprintf(line, sizeof(line), "\nfedgate.conf%.200s", report + (report[0] ? 1 : 0));
    cr_expect_neq(report[0], 0);
    cr_expect_not_null(strstr(page, line), "%s", line);
}

static const char *section_title(enum schema_section section)
{
    static const char *const titles[SECTION_COUNT] = {
        [SECTION_root] = ".Sh TOP LEVEL\n",
        [SECTION_node] = ".Sh NODE\n",
        [SECTION_listen] = ".Sh LISTEN\n",
        [SECTION_tls] = ".Sh TLS\n",
        [SECTION_dns] = ".Sh DNS\n",
        [SECTION_domain] = ".Sh DOMAINS\n",
        [SECTION_next_hop] = ".Sh NEXT HOPS\n",
        [SECTION_partner] = ".Sh PARTNERS\n",
        [SECTION_access] = ".Sh ACCESS\n",
        [SECTION_global] = ".Sh ACCESS\n",
        [SECTION_policy] = ".Sh ACCESS\n",
        [SECTION_group] = ".Sh GROUPS\n",
        [SECTION_gateway] = ".Sh GATEWAY\n",
        [SECTION_limits] = ".Sh LIMITS\n",
        [SECTION_log] = ".Sh LOG\n",
    };

    return titles[section];
}

/* The line that the page must have for the key: ".Pq number 1 to 5 or 0, default 3". */
static void expected_line(const struct schema_key *key, char *out, size_t bytes)
{
    const char *null_text = (key->flags & SCHEMA_NULLABLE) ? " or null" : "";

    out[0] = 0;
    if (key->kind == SCHEMA_NUMBER && (key->flags & SCHEMA_NULLABLE)) {
        (void)snprintf(out, bytes, ".Pq number %llu to %llu or null, default null\n",
                       (unsigned long long)key->min, (unsigned long long)key->max);
    } else if (key->kind == SCHEMA_NUMBER) {
        (void)snprintf(out, bytes, ".Pq number %llu to %llu%s, default %llu\n",
                       (unsigned long long)key->min, (unsigned long long)key->max,
                       (key->flags & SCHEMA_ZERO_OFF) ? " or 0" : "",
                       (unsigned long long)key->number);
    } else if (key->kind == SCHEMA_BOOL) {
        (void)snprintf(out, bytes, ".Pq true or false, default %s\n",
                       key->number ? "true" : "false");
    } else if (key->kind == SCHEMA_CHOICE && (key->flags & SCHEMA_NULLABLE)) {
        (void)snprintf(out, bytes, ".Pq choice or null, default null\n");
    } else if (key->kind == SCHEMA_CHOICE && !(key->flags & SCHEMA_REQUIRED)) {
        (void)snprintf(out, bytes, ".Pq choice, default Qq %s\n", key->text);
    } else if (key->kind == SCHEMA_TEXT && key->text) {
        (void)snprintf(out, bytes, ".Pq text, default Qq %s\n", key->text);
    } else if (key->kind == SCHEMA_TEXT && (key->flags & SCHEMA_REQUIRED)) {
        (void)snprintf(out, bytes, ".Pq text, required\n");
    } else if (key->kind == SCHEMA_TEXTS) {
        (void)snprintf(out, bytes, ".Pq list of texts%s\n", null_text);
    } else if (key->kind == SCHEMA_TEXT && (key->flags & SCHEMA_NULLABLE)) {
        (void)snprintf(out, bytes, ".Pq text or null");
    }
}

Test(manual, every_key_stands_there_with_its_range_and_default)
{
    const char *page = read_page();

    for (uint32_t i = 0; i < KEY_COUNT; i++) {
        const struct schema_key *key = schema_key_at((enum schema_key_idx)i);
        const char *section = strstr(page, section_title(key->section));
        const char *end;
        const char *item;
        char line[160];

        cr_assert_not_null(section, "%s", section_title(key->section));
        end = strstr(section + 1, "\n.Sh ");
        (void)snprintf(line, sizeof(line), "\n.It Cm %s\n", key->name);
        item = strstr(section, line);
        cr_expect(item && (!end || item < end), "no %s in %s", key->name,
                  section_title(key->section));
        if (!item) {
            continue;
        }
        expected_line(key, line, sizeof(line));
        /* Two keys may share one description: the line follows within the next item. */
        item = strstr(item, line);
        cr_expect(item && (!end || item < end), "%s%s: %s", section_title(key->section), key->name,
                  line);
        for (uint32_t c = 0; key->choices && key->choices[c]; c++) {
            (void)snprintf(line, sizeof(line), ".Ql %s", key->choices[c]);
            item = strstr(section, line);
            cr_expect(item && (!end || item < end), "%s: %s", key->name, line);
        }
    }
}

static void put_table(struct buf *out)
{
    for (uint32_t i = 0; i < PARTNER_ROW_COUNT; i++) {
        const struct partner_row *row = partner_row_at(i);

        buf_printf(out, ".It %u Ta %s Ta %s Ta %s Ta %s%s%s\n", row->number,
                   partner_level_name((enum partner_level)row->tls),
                   partner_level_name((enum partner_level)row->sasl),
                   row->dialback ? "true" : "false",
                   partner_verdict_name((enum partner_verdict)row->verdict),
                   row->reason[0] ? ": " : "", row->reason);
    }
}

static void put_reasons(struct buf *out)
{
    for (uint32_t i = 0; i < PARTNER_ROW_COUNT; i++) {
        const struct partner_row *row = partner_row_at(i);
        bool is_first = row->reason[0] != 0;

        for (uint32_t before = 0; before < i; before++) {
            is_first = is_first && strcmp(partner_row_at(before)->reason, row->reason) != 0;
        }
        if (is_first) {
            buf_printf(out, ".It Cm %s\n%s.\n", row->reason, row->text);
        }
    }
}

/* What policy_decide says: at once, after our user was first, never. */
static const char *type_cell(const struct snapshot *s, uint32_t partner, enum policy_act act)
{
    struct policy_question q = {.local_user = SLICE_LIT("joe"),
                                .local_domain = SLICE_LIT("corp.example"),
                                .remote_user = SLICE_LIT("ann"),
                                .remote_domain = s->partners[partner].domain,
                                .direction = POLICY_TO_LOCAL,
                                .act = act};

    if (policy_decide(s, &q).allowed) {
        return "yes";
    }
    q.is_reachable = true;
    return policy_decide(s, &q).allowed ? "after" : "no";
}

static void put_types(struct buf *out)
{
    static const char *const acts[POLICY_ACT_COUNT] = {
        [POLICY_ACT_MESSAGE] = "write",
        [POLICY_ACT_SUBSCRIBE] = "add as a contact",
        [POLICY_ACT_PRESENCE] = "ask for presence",
        [POLICY_ACT_NOTIFY] = "show own presence",
        [POLICY_ACT_CONSENT] = "agree, or withdraw",
        [POLICY_ACT_QUERY] = "ask the client (iq)",
        [POLICY_ACT_ANSWER] = "answer",
    };
    struct snapshot *s = help_load(
        &(struct help_doc){.partners = "[{\"domain\":\"f.example\",\"type\":\"federated\"},"
                                       "{\"domain\":\"v.example\",\"type\":\"public_verified\"},"
                                       "{\"domain\":\"u.example\"}]"});

    for (uint32_t i = 0; i < POLICY_ACT_COUNT; i++) {
        buf_printf(out, ".It %s", acts[i]);
        for (uint32_t p = 0; p < s->partner_count; p++) {
            buf_printf(out, " Ta %s", type_cell(s, p, (enum policy_act)i));
        }
        buf_putc(out, '\n');
    }
    buf_put_lit(out, ".It read presence notes");
    for (uint32_t p = 0; p < s->partner_count; p++) {
        struct policy_question q = {.local_user = SLICE_LIT("joe"),
                                    .local_domain = SLICE_LIT("corp.example"),
                                    .remote_domain = s->partners[p].domain,
                                    .direction = POLICY_TO_PARTNER,
                                    .act = POLICY_ACT_NOTIFY};

        buf_printf(out, " Ta %s", policy_decide(s, &q).without_note ? "no" : "yes");
    }
    buf_putc(out, '\n');
    snapshot_free(s);
}

Test(manual, its_tables_are_the_programs)
{
    /* One after the other: all rewrite the page when asked to. */
    page_check_section("types", put_types, "FEDGATE_WRITE_MANUAL");
    page_check_section("rows", put_table, "FEDGATE_WRITE_MANUAL");
    page_check_section("reasons", put_reasons, "FEDGATE_WRITE_MANUAL");
}
