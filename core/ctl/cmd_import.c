/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_import: exports of the old product into the configuration. What is refused stops all of it,
 * unless --partial is given: half a list of partners looks like a whole one. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/err.h"
#include "ctl/change.h"
#include "ctl/import_print.h"
#include "import/apply.h"
#include "policy/quote.h"

#define FRAGMENT_MODE 0640
#define REFUSAL_BYTES 256u

struct import {
    struct change change;
    struct import_plan plan;
    const char *output;
    bool is_partial;
};

/* Takes the options that change_options does not know out of argv; -1 after a message. */
static int take_options(struct import *i, struct ctl *ctl, int argc, char **argv)
{
    int kept = 1;
    int at;

    for (at = 1; at < argc && strcmp(argv[at], "--") != 0; at++) {
        if (strcmp(argv[at], "--update") == 0) {
            i->plan.replaces = true;
        } else if (strcmp(argv[at], "--partial") == 0) {
            i->is_partial = true;
        } else if (strncmp(argv[at], "--output=", 9) == 0) {
            i->output = argv[at] + 9;
        } else if (strcmp(argv[at], "--output") == 0) {
            i->output = argv[++at]; /* argv ends with NULL */
            if (!i->output) {
                (void)!out_usage(ctl, &cmd_import, "--output needs a file's name");
                return -1;
            }
        } else {
            argv[kept++] = argv[at];
        }
    }
    for (; at < argc; at++) {
        argv[kept++] = argv[at];
    }
    argv[kept] = NULL;
    return change_options(&i->change, ctl, &cmd_import, kept, argv);
}

static int read_files(struct import *i, struct ctl *ctl, int argc, char **argv)
{
    for (int at = 1; at < argc; at++) {
        int err = import_plan_add_file(&i->plan, argv[at]);

        if (err == -E2BIG) {
            return out_fail(ctl, EX_USAGE, "at most %u files at a time", IMPORT_FILES_MAX);
        }
        if (err && err != ERR_BAD_INPUT) {
            return out_fail(ctl, err == -EACCES ? EX_NOPERM : EX_NOINPUT, "%s: %s",
                            quote(slice_from_cstr(argv[at])).text, err_text(err));
        }
    }
    return EX_OK;
}

static bool is_refused(const struct import *i)
{
    return i->plan.totals[IMPORT_REFUSES] && !i->is_partial;
}

/* --- a fragment --- */

static bool is_written(const struct import *i)
{
    return i->output && !is_refused(i) && !i->change.is_dry && import_plan_has_work(&i->plan);
}

static int write_all(int fd, struct slice text)
{
    while (text.len) {
        ssize_t put = write(fd, text.ptr, text.len);

        if (put < 0 && errno != EINTR) {
            return -errno;
        }
        text = slice_from(text, put > 0 ? (size_t)put : 0);
    }
    return fsync(fd) < 0 ? -errno : 0;
}

/* A file of that name is somebody's: never overwritten. */
static int write_fragment(const struct import *i, struct ctl *ctl, struct slice text)
{
    int fd = open(i->output, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FRAGMENT_MODE);
    int err;

    if (fd < 0) {
        return out_fail(ctl, errno == EACCES ? EX_NOPERM : EX_CANTCREAT, "%s cannot be made: %s%s",
                        quote(slice_from_cstr(i->output)).text, err_text(-errno),
                        errno == EEXIST ? "; name a file that is not there yet" : "");
    }
    err = write_all(fd, text);
    if (close(fd) < 0 && !err) {
        err = -errno;
    }
    if (err) {
        (void)unlink(i->output);
        return out_fail(ctl, EX_IOERR, "%s cannot be written: %s",
                        quote(slice_from_cstr(i->output)).text, err_text(err));
    }
    return EX_OK;
}

/* "{}" with the plan's changes. */
static int make_fragment(struct import *i, struct ctl *ctl)
{
    struct json_doc doc = {0};
    struct json_fault fault;
    struct edit edit;
    struct edit_text text = {0};
    int status = EX_OK;

    if (json_parse(&doc, SLICE_LIT("{\n}\n"), 2, &fault) != 0) {
        return out_fail(ctl, EX_SOFTWARE, "%s", fault.text);
    }
    import_plan_judge(&i->plan, &doc);
    edit_init(&edit, &doc);
    if (is_written(i)) {
        if (import_plan_apply(&i->plan, &edit) != 0 || edit_finish(&edit, &text) != 0) {
            status = out_fail(ctl, EX_DATAERR, "%s", edit.why);
        } else {
            status = write_fragment(i, ctl, slice_make(text.bytes, text.len));
        }
    }
    edit_text_deinit(&text);
    edit_deinit(&edit);
    json_deinit(&doc);
    return status;
}

/* --- saying --- */

static void write_refusal(const struct import *i, struct buf *out)
{
    buf_printf(out,
               "nothing was imported: %u refused; mend the exports, or --partial imports the rest",
               i->plan.totals[IMPORT_REFUSES]);
}

static int say(struct import *i, struct ctl *ctl, bool is_done)
{
    int status = is_refused(i) ? EX_DATAERR : is_done ? change_status(&i->change) : EX_OK;
    struct buf refusal;
    struct out o;

    buf_init(&refusal, REFUSAL_BYTES);
    if (is_refused(i)) {
        write_refusal(i, &refusal);
    }
    out_begin(&o);
    if (ctl->is_json) {
        jout_object(&o.json, NULL);
        if (is_refused(i)) {
            jout_text(&o.json, "error", buf_slice(&refusal));
        }
        import_print_json(&i->plan, &o);
        if (is_done) {
            change_print(&i->change, "access", &o);
        } else {
            jout_bool(&o.json, "saved", false);
            jout_cstr(&o.json, "output", is_written(i) ? i->output : NULL);
        }
        jout_end(&o.json);
    } else {
        import_print_people(&i->plan, &o);
        if (is_done) {
            change_print(&i->change, "access", &o);
        } else if (is_written(i)) {
            out_put_clean(&o.text, slice_from_cstr(i->output));
            buf_put_lit(&o.text, ": written\n");
        } else if (!is_refused(i)) {
            buf_put_cstr(&o.text, i->change.is_dry ? "nothing was written (--dry-run)\n"
                                                   : "nothing to write\n");
        }
    }
    status = out_end(&o, status);
    if (is_refused(i)) {
        (void)fprintf(stderr, "fedgatectl: %.*s\n", SLICE_FMT(buf_slice(&refusal)));
    }
    buf_deinit(&refusal);
    return status;
}

static int into_configuration(struct import *i, struct ctl *ctl)
{
    struct change *c = &i->change;
    int status;

    c->tells_rows = true;
    status = change_begin(c);

    if (status != EX_OK) {
        return status;
    }
    import_plan_judge(&i->plan, &c->doc);
    if (is_refused(i)) {
        return say(i, ctl, false);
    }
    if (import_plan_apply(&i->plan, &c->edit) != 0) {
        return out_fail(ctl, EX_DATAERR, "%s", c->edit.why);
    }
    status = change_finish(c);
    return status == EX_OK ? say(i, ctl, true) : status;
}

static int run(struct ctl *ctl, int argc, char **argv)
{
    static struct import i;
    int status;

    i = (struct import){.change.save.fd = -1};
    import_plan_init(&i.plan);
    argc = take_options(&i, ctl, argc, argv);
    if (argc < 0) {
        status = EX_USAGE;
    } else if (argc < 2) {
        status = out_usage(ctl, &cmd_import, "which files?");
    } else {
        status = read_files(&i, ctl, argc, argv);
        if (status == EX_OK) {
            if (!i.output) {
                status = into_configuration(&i, ctl);
                change_end(&i.change);
            } else {
                status = make_fragment(&i, ctl);
                status = status == EX_OK ? say(&i, ctl, false) : status;
            }
        }
    }
    import_plan_deinit(&i.plan);
    return status;
}

const struct ctl_command cmd_import = {
    .name = "import",
    .usage = "[--update] [--partial] " CHANGE_USAGE " FILE...\n"
             "[--update] [--partial] [--dry-run] --output NEW-FILE FILE...",
    .summary = "takes over exports of Lync / Skype for Business",
    .run = run,
};
