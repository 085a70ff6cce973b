/* SPDX-License-Identifier: GPL-2.0-or-later */
/* help: see help.h. */
#include "help.h"

#include <stdio.h>
#include <stdlib.h>

#include <criterion/criterion.h>

#define TEXT_BYTES 65536

struct slice help_text(const struct help_doc *doc)
{
    static char text[4 * TEXT_BYTES];
    int len = snprintf(
        text, sizeof(text),
        "{\"node\":%s,\n\"listen\":%s,\n\"tls\":%s,\n\"dns\":%s,\n\"domains\":%s,\n\"next_hops\":"
        "%s,\n\"partners\":%s,\n\"gateway\":%s,\n\"limits\":%s,\n\"log\":%s,\n\"store\":%s,\n"
        "\"access\":%s,\n\"groups\":%s,\n\"blocked\":%s}\n",
        doc->node ? doc->node : "{\"name\":\"edge.corp.example\"}",
        doc->listen ? doc->listen
                    : "{\"xmpp_server\":[\"127.0.0.1:5269\"],\"sip\":[\"tls:0.0.0.0:5061\"]}",
        doc->tls ? doc->tls : "{\"certificate\":\"c.pem\",\"key\":\"k.pem\"}",
        doc->dns ? doc->dns : "{}",
        doc->domains ? doc->domains : "[{\"name\":\"corp.example\",\"next_hop\":\"pool\"}]",
        doc->next_hops
            ? doc->next_hops
            : "{\"pool\":{\"kind\":\"sip\",\"uri\":\"sip:pool.corp.example;transport=tls\"}}",
        doc->partners ? doc->partners : "[{\"domain\":\"fabrikam.example\"}]",
        doc->gateway ? doc->gateway : "{}", doc->limits ? doc->limits : "{}",
        doc->log ? doc->log : "{}", doc->store ? doc->store : "\"sqlite:fedgate.db\"",
        doc->access ? doc->access : "{\"global\":{\"xmpp\":true}}",
        doc->groups ? doc->groups : "{}", doc->blocked ? doc->blocked : "[]");

    cr_assert(len > 0 && (size_t)len < sizeof(text));
    return slice_make(text, (size_t)len);
}

const char *help_report_text(struct slice text)
{
    return help_report_at("f", text);
}

void help_remove_folder(const char *folder)
{
    char command[512];

    (void)snprintf(command, sizeof(command), "rm -rf -- '%s'", folder);
    cr_assert(strncmp(folder, "/tmp/", 5) == 0 && !strchr(folder, '\''));
    cr_assert_eq(system(command), 0);
}

const char *help_report_at(const char *file, struct slice text)
{
    static char printed[TEXT_BYTES];
    struct config_report report = {0};
    struct snapshot *s;
    struct buf out;

    (void)!config_load(&s, file, text, &report);
    buf_init(&out, TEXT_BYTES);
    config_report_write(&report, &out);
    cr_assert(slice_to_cstr(buf_slice(&out), printed, sizeof(printed)));
    buf_deinit(&out);
    config_report_deinit(&report);
    snapshot_free(s);
    return printed;
}

const char *help_report(const struct help_doc *doc)
{
    return help_report_text(help_text(doc));
}

struct snapshot *help_load_text(struct slice text)
{
    struct config_report report = {0};
    struct snapshot *s;
    int err = config_load(&s, "f", text, &report);

    config_report_deinit(&report);
    cr_assert(err == 0, "%s", help_report_text(text));
    return s;
}

struct snapshot *help_load(const struct help_doc *doc)
{
    return help_load_text(help_text(doc));
}
