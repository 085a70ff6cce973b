/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_fuzz: any bytes as a configuration file. Either a snapshot or errors, never both or
 * neither; every problem has a place inside the text; what loads answers lookups. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/check.h"
#include "config_checks.h"
#include "policy/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_report(const struct config_report *r, struct slice text)
{
    uint32_t lines = 1;
    struct buf out;

    for (size_t i = 0; i < text.len; i++) {
        lines += text.ptr[i] == '\n';
    }
    for (uint32_t i = 0; i < r->count; i++) {
        ASSERT(r->problems[i].line <= lines);
        ASSERT(r->problems[i].column <= text.len + 1);
        ASSERT(r->problems[i].text[0]);
    }
    buf_init(&out, (size_t)4 << 20);
    config_report_write(r, &out);
    ASSERT(!out.failed);
    buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make((const char *)data, size);
    struct config_report report = {0};
    struct snapshot *s = NULL;
    int err = config_load(&s, "etc/fedgate.conf", text, &report);

    ASSERT((err == 0) == (s != NULL));
    ASSERT((err == 0) == (report.error_count == 0));
    check_report(&report, text);
    if (s) {
        ASSERT(s->domain_count > 0 && s->next_hop_count > 0);
        for (uint32_t i = 0; i < s->domain_count; i++) {
            ASSERT(s->domains[i].next_hop != NULL);
            ASSERT(snapshot_domain(s, s->domains[i].name) == &s->domains[i]);
        }
        for (uint32_t i = 0; i < s->partner_count; i++) {
            check_partner(s, &s->partners[i]);
        }
    }
    config_report_deinit(&report);
    snapshot_free(s);
    return 0;
}
