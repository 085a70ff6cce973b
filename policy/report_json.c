/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report_json: the problems of a configuration for programs. */
#include "base/jout.h"
#include "policy/config.h"

static void put_place(struct jout *j, const char *key, uint32_t value)
{
    if (value) {
        jout_u64(j, key, value);
    } else {
        jout_null(j, key);
    }
}

void config_report_write_json(const struct config_report *r, struct jout *j)
{
    jout_cstr(j, "file", r->file);
    jout_u64(j, "errors", r->error_count);
    jout_u64(j, "warnings", r->warning_count);
    jout_list(j, "problems");
    for (uint32_t i = 0; i < r->count; i++) {
        const struct config_problem *p = &r->problems[i];

        jout_object(j, NULL);
        put_place(j, "line", p->line);
        put_place(j, "column", p->line ? p->column : 0);
        jout_cstr(j, "path", p->path);
        jout_cstr(j, "text", p->text);
        jout_bool(j, "is_warning", p->is_warning);
        jout_end(j);
    }
    jout_end(j);
}
