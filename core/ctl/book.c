/* SPDX-License-Identifier: GPL-2.0-or-later */
/* book: read, load, parse. */
#include "ctl/book.h"

#include <stdio.h>
#include <sysexits.h>

#include "base/check.h"
#include "base/err.h"
#include "ctl/out.h"
#include "policy/edit.h"

static int refuse(const struct book *b, const struct ctl *ctl)
{
    static const char error[] = "the configuration does not load";
    struct out o;

    config_report_print(&b->report);
    (void)fprintf(stderr, "fedgatectl: %s\n", error);
    out_begin(&o);
    if (ctl->is_json) {
        jout_object(&o.json, NULL);
        jout_cstr(&o.json, "error", error);
        config_report_write_json(&b->report, &o.json);
        jout_end(&o.json);
    }
    return out_end(&o, EX_CONFIG);
}

int book_open(struct book *b, const struct ctl *ctl)
{
    struct json_fault fault;
    int err;

    *b = (struct book){0};
    err = save_begin(&b->save, ctl->config_path, true);
    if (err) {
        return out_fail(ctl, save_exit_status(err), "%s", b->save.why);
    }
    if (config_load(&b->snapshot, ctl->config_path, save_text(&b->save), &b->report) != 0) {
        return refuse(b, ctl);
    }
    err = json_parse(&b->doc, save_text(&b->save), CONFIG_DEPTH_MAX, &fault);
    ASSERT(err == 0);
    return EX_OK;
}

void book_close(struct book *b)
{
    json_deinit(&b->doc);
    snapshot_free(b->snapshot);
    config_report_deinit(&b->report);
    save_end(&b->save);
}

uint32_t book_line(struct book *b, uint32_t node)
{
    if (node == JSON_NONE) {
        return 0;
    }
    if (b->counted_line == 0 || b->counted_at > b->doc.nodes[node].start) {
        b->counted_at = 0;
        b->counted_line = 1;
    }
    for (; b->counted_at < b->doc.nodes[node].start; b->counted_at++) {
        b->counted_line += b->save.bytes[b->counted_at] == '\n';
    }
    return b->counted_line;
}

uint32_t book_member(const struct book *b, uint32_t object, const char *key)
{
    return edit_member(&b->doc, object, slice_from_cstr(key));
}
