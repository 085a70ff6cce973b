/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_check: is this file a configuration that a node would take. The same eyes and words as
 * `fedgate --check`. */
#include <string.h>
#include <sysexits.h>

#include "ctl/ctl.h"
#include "ctl/out.h"
#include "edge/setup.h"
#include "io/ktls.h"

static void write_json(struct jout *j, const struct config_report *report,
                       const struct setup *setup)
{
    jout_object(j, NULL);
    jout_bool(j, "ok", setup != NULL);
    config_report_write_json(report, j);
    if (setup) {
        jout_u64(j, "partner_count", setup->policy->partner_count);
        jout_u64(j, "domain_count", setup->policy->domain_count);
    }
    jout_end(j);
}

static void write_people(struct out *o, const struct config_report *report,
                         const struct setup *setup)
{
    config_report_print(report);
    if (setup) {
        out_put_clean(&o->text, slice_from_cstr(report->file));
        buf_put_lit(&o->text, ": valid: ");
        out_put_count(&o->text, setup->policy->partner_count, "partner");
        buf_put_lit(&o->text, ", ");
        out_put_count(&o->text, setup->policy->domain_count, "domain");
        buf_putc(&o->text, '\n');
    }
}

static int run(struct ctl *ctl, int argc, char **argv)
{
    struct setup_params params = {.config_path = ctl->config_path, .secret = ""};
    struct config_report report = {0};
    struct ktls_caps kernel = {0};
    struct setup *setup;
    struct out o;
    int status;

    if (argc > 1 && strcmp(argv[1], "--") == 0) {
        argc--;
        argv++;
    }
    if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
        return out_usage(ctl, &cmd_check, "one file, or none for %s", ctl->config_path);
    }
    if (argc == 2) {
        params.config_path = argv[1];
    }
    ktls_probe(&kernel);
    params.kernel = &kernel;
    status = setup_load(&setup, &params, &report) == 0 ? EX_OK : EX_CONFIG;
    out_begin(&o);
    if (ctl->is_json) {
        write_json(&o.json, &report, setup);
    } else {
        write_people(&o, &report, setup);
    }
    setup_free(setup);
    config_report_deinit(&report);
    return out_end(&o, status);
}

const struct ctl_command cmd_check = {
    .name = "check",
    .usage = "[FILE]",
    .summary = "says everything that is wrong with a configuration",
    .run = run,
};
