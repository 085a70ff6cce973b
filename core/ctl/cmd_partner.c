/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_partner: the allowed partners of the configuration: which form of the command it is, and what
 * the forms share. */
#include <string.h>
#include <sysexits.h>

#include "base/attr.h"
#include "ctl/partner.h"
#include "policy/edit.h"
#include "policy/quote.h"
#include "policy/suggest.h"
#include "xmpp/jid.h"

static const struct ctl_form forms[] = {
    {"list", partner_list}, {"show", partner_show},     {"add", partner_add},
    {"set", partner_set},   {"remove", partner_remove}, {"export", partner_export},
    {NULL, NULL},
};

static int run(struct ctl *ctl, int argc, char **argv)
{
    return ctl_run_form(ctl, &cmd_partner, forms, argc, argv);
}

const struct ctl_command cmd_partner = {
    .name = "partner",
    .usage = "list [--type TYPE] [--problems]\n"
             "show DOMAIN\n"
             "add [--dry-run] [--reload] DOMAIN [PROPERTY=VALUE...]\n"
             "set [--dry-run] [--reload] DOMAIN PROPERTY=VALUE...\n"
             "remove [--dry-run] [--reload] DOMAIN...\n"
             "export [DOMAIN...]",
    .summary = "shows, adds, changes, removes and exports partners",
    .run = run,
};

const char *partner_domain_fault(const char *word)
{
    return strchr(word, '=') ? "is a property; the partner's domain comes first"
                             : jid_domain_fault(slice_from_cstr(word));
}

int partner_unknown(const struct ctl *ctl, const struct json_doc *doc, const char *domain)
{
    struct suggest near = {.word = slice_from_cstr(domain)};
    uint32_t list = edit_member(doc, 0, SLICE_LIT("partners"));
    char best[SUGGEST_BYTES_MAX + 1];
    char name[SUGGEST_BYTES_MAX + 1];
    uint32_t distance = UINT32_MAX;

    if (list != JSON_NONE && json_kind_of(doc, list) == JSON_LIST) {
        for (uint32_t at = list + 1; at < doc->nodes[list].next; at = doc->nodes[at].next) {
            uint32_t node = edit_member(doc, at, SLICE_LIT("domain"));

            if (node == JSON_NONE || json_kind_of(doc, node) != JSON_TEXT ||
                !slice_to_cstr(json_text(doc, node), name, sizeof(name))) {
                continue;
            }
            near.best = NULL;
            suggest_consider(&near, name);
            if (near.best && near.best_distance < distance) {
                distance = near.best_distance;
                memcpy(best, name, sizeof(best));
            }
        }
    }
    return out_fail(ctl, EX_NOINPUT, "no partner has the domain %.200s%s%s%s",
                    quote(slice_from_cstr(domain)).text,
                    distance < UINT32_MAX ? "; did you mean " : "",
                    distance < UINT32_MAX ? quote(slice_from_cstr(best)).text : "",
                    distance < UINT32_MAX ? "?" : "");
}

/* --- the truth table --- */

/* Names: those of /stats (edge/stats.h). */
static const struct {
    uint32_t bit;
    const char *name;
    const char *text;
} results[] = {
    {PARTNER_AUTH_EXTERNAL, "external", "SASL EXTERNAL over TLS with a valid certificate"},
    {PARTNER_AUTH_CERTIFICATE, "certificate",
     "dialback answered from a valid certificate (XEP-0344)"},
    {PARTNER_AUTH_DIALBACK_TLS, "dialback_tls", "dialback over TLS, any certificate"},
    {PARTNER_AUTH_DIALBACK_TCP, "dialback_plain", "dialback without TLS"},
};

static void put_row_json(struct jout *j, const struct partner_row *row)
{
    jout_object(j, "negotiation");
    jout_u64(j, "row", row->number);
    jout_cstr(j, "tls", partner_level_name((enum partner_level)row->tls));
    jout_cstr(j, "sasl", partner_level_name((enum partner_level)row->sasl));
    jout_bool(j, "dialback", row->dialback);
    jout_cstr(j, "verdict", partner_verdict_name((enum partner_verdict)row->verdict));
    jout_cstr(j, "reason", row->reason);
    jout_cstr(j, "text", row->text);
    jout_list(j, "results");
    for (size_t i = 0; i < ARRAY_COUNT(results); i++) {
        if (row->auth & results[i].bit) {
            jout_cstr(j, NULL, results[i].name);
        }
    }
    jout_end(j);
    jout_end(j);
}

void partner_put_row(struct out *o, bool is_json, const struct partner_row *row)
{
    const char *glue = "can result   ";

    if (is_json) {
        put_row_json(&o->json, row);
        return;
    }
    buf_printf(&o->text, "negotiation  row %u of %u (tls %s, sasl %s, dialback %s): %s",
               (unsigned)row->number, PARTNER_ROW_COUNT,
               partner_level_name((enum partner_level)row->tls),
               partner_level_name((enum partner_level)row->sasl), row->dialback ? "true" : "false",
               partner_verdict_name((enum partner_verdict)row->verdict));
    if (row->reason[0]) {
        buf_printf(&o->text, ": %s\n             %s", row->reason, row->text);
    }
    buf_putc(&o->text, '\n');
    for (size_t i = 0; i < ARRAY_COUNT(results); i++) {
        if (row->auth & results[i].bit) {
            buf_printf(&o->text, "%s%s\n", glue, results[i].text);
            glue = "          or ";
        }
    }
}
