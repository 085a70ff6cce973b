/* SPDX-License-Identifier: GPL-2.0-or-later */
/* form: which form of a command is meant. */
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/out.h"
#include "policy/quote.h"
#include "policy/suggest.h"

#define NAMES_BYTES 160u

int ctl_run_form(struct ctl *ctl, const struct ctl_command *command, const struct ctl_form *forms,
                 int argc, char **argv)
{
    struct suggest near = {.word = slice_from_cstr(argc > 1 ? argv[1] : "")};
    struct buf names;
    char shown[NAMES_BYTES];

    buf_init(&names, NAMES_BYTES);
    for (const struct ctl_form *f = forms; f->name; f++) {
        if (argc > 1 && strcmp(argv[1], f->name) == 0) {
            buf_deinit(&names);
            return f->run(ctl, argc - 1, argv + 1);
        }
        suggest_consider(&near, f->name);
        buf_printf(&names, "%s%s", f == forms ? "" : f[1].name ? ", " : " or ", f->name);
    }
    slice_to_cstr_cut(buf_slice(&names), shown, sizeof(shown));
    buf_deinit(&names);
    if (argc < 2) {
        return out_usage(ctl, command, "%s", shown);
    }
    return out_usage(ctl, command, "no form %.80s%s%s", quote(near.word).text,
                     near.best ? "; did you mean " : "", near.best ? near.best : "");
}
