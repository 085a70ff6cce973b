/* SPDX-License-Identifier: GPL-2.0-or-later */
/* import: any bytes as an export, held against a configuration. What is not refused loads: the text
 * that results is a valid configuration. */
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "import/apply.h"
#include "policy/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char config[] =
    "{\"node\": {\"name\": \"edge.corp.example\"}, \"listen\": {\"sip\": [\"tcp:127.0.0.1:5060\"]},"
    "\"tls\": {\"certificate\": \"/c\", \"key\": \"/k\"},"
    "\"domains\": [{\"name\": \"corp.example\", \"next_hop\": \"pool\"}],"
    "\"next_hops\": {\"pool\": {\"kind\": \"sip\", \"uri\": \"sip:pool.example;transport=tls\"}},"
    "\"access\": {\"users\": {\"Sales\": {\"members\": [\"bob@corp.example\"]}}},"
    "\"partners\": [{\"domain\": \"fabrikam.example\"}, {\"domain\": \"contoso.example\"}]}";

static void check_result(const struct import_plan *p, struct edit *e)
{
    struct config_report report = {0};
    struct edit_text text = {0};
    struct snapshot *s = NULL;

    ASSERT(import_plan_apply(p, e) == 0);
    ASSERT(edit_finish(e, &text) == 0);
    ASSERT(config_load(&s, "fedgate.conf", slice_make(text.bytes, text.len), &report) == 0);
    snapshot_free(s);
    config_report_deinit(&report);
    edit_text_deinit(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_doc doc = {0};
    struct json_fault fault;
    struct import_fault why;
    struct import_text text = {0};
    struct import_plan p;
    struct edit e;

    ASSERT(json_parse(&doc, slice_from_cstr(config), 16, &fault) == 0);
    import_plan_init(&p);
    edit_init(&e, &doc);
    p.replaces = size % 2;
    if (import_text_decode(&text, slice_make((const char *)data, size), &why) == 0) {
        (void)!import_plan_add_text(&p, "file", import_text_slice(&text));
        import_plan_judge(&p, &doc);
        check_result(&p, &e);
    }
    import_text_deinit(&text);
    edit_deinit(&e);
    import_plan_deinit(&p);
    json_deinit(&doc);
    return 0;
}
