/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fedgatectl: global options, the table of commands. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/attr.h"
#include "ctl/ctl.h"
#include "ctl/out.h"
#include "policy/quote.h"
#include "policy/suggest.h"

static const struct ctl_command *const commands[] = {
    &cmd_check,
    &cmd_contact,
    &cmd_diagnose,
    &cmd_import,
    &cmd_partner,
    &cmd_policy,
    &cmd_reload,
    &cmd_status,
    &cmd_why,
};

static void usage(FILE *to)
{
    (void)fputs("usage: fedgatectl [OPTION...] COMMAND [ARGUMENT...]\n"
                "\n"
                "Commands (fedgatectl COMMAND --help says more):\n",
                to);
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++) {
        (void)fprintf(to, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    }
    (void)fputs("\n"
                "Options:\n"
                "  -c, --config FILE  the configuration (" CTL_CONFIG_PATH ")\n"
                "      --admin PATH   the node's admin socket (listen.admin of the configuration)\n"
                "      --json         one JSON document instead of text\n"
                "      --version      print the version\n"
                "      --help         this text\n"
                "\n"
                "fedgatectl(1) describes all of it.\n",
                to);
}

enum global { GLOBAL_NONE, GLOBAL_CONFIG, GLOBAL_ADMIN, GLOBAL_JSON, GLOBAL_VERSION, GLOBAL_HELP };

/* Which option word is; *value: what stands behind its '=', or NULL. */
static enum global global_of(const char *word, const char **value)
{
    static const struct {
        const char *name;
        enum global option;
    } options[] = {
        {"-c", GLOBAL_CONFIG},        {"--config", GLOBAL_CONFIG}, {"--admin", GLOBAL_ADMIN},
        {"--json", GLOBAL_JSON},      {"--version", GLOBAL_VERSION},
        {"--help", GLOBAL_HELP},
    };
    const char *equals = strncmp(word, "--", 2) == 0 ? strchr(word, '=') : NULL;
    size_t len = equals ? (size_t)(equals - word) : strlen(word);

    *value = equals ? equals + 1 : NULL;
    for (size_t i = 0; i < ARRAY_COUNT(options); i++) {
        if (strlen(options[i].name) == len && memcmp(options[i].name, word, len) == 0) {
            return options[i].option;
        }
    }
    return GLOBAL_NONE;
}

/* What the global options said besides struct ctl. */
struct wishes {
    bool help;
    bool version;
};

static bool takes_value(enum global option)
{
    return option == GLOBAL_CONFIG || option == GLOBAL_ADMIN;
}

static void note(struct ctl *ctl, struct wishes *wishes, enum global option, const char *value)
{
    switch (option) {
    case GLOBAL_CONFIG:
        ctl->config_path = value;
        break;
    case GLOBAL_ADMIN:
        ctl->admin_path = value;
        break;
    case GLOBAL_JSON:
        ctl->is_json = true;
        break;
    case GLOBAL_VERSION:
        wishes->version = true;
        break;
    case GLOBAL_HELP:
        wishes->help = true;
        break;
    case GLOBAL_NONE:
        break;
    }
}

/* Takes the global options out of argv, up to "--"; the words that stay, or -1 with a message. */
static int take_globals(struct ctl *ctl, struct wishes *wishes, int argc, char **argv)
{
    int kept = 1;
    int i;

    for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        const char *value;
        const char *word = argv[i];
        enum global option = global_of(word, &value);

        if (option == GLOBAL_NONE) {
            argv[kept++] = argv[i];
            continue;
        }
        if (takes_value(option) && !value) {
            value = argv[++i]; /* argv ends with NULL */
        }
        if (takes_value(option) != (value != NULL)) {
            return out_fail(ctl, -1, "%s %s; see fedgatectl --help", word,
                            value ? "takes no value" : "needs a value");
        }
        note(ctl, wishes, option, value);
    }
    for (; i < argc; i++) {
        argv[kept++] = argv[i]; /* "--" too: for the command's own getopt */
    }
    argv[kept] = NULL;
    return kept;
}

static const struct ctl_command *find(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return commands[i];
        }
    }
    return NULL;
}

static int unknown(const struct ctl *ctl, const char *name)
{
    struct suggest near = {.word = slice_from_cstr(name)};

    for (size_t i = 0; i < ARRAY_COUNT(commands); i++) {
        suggest_consider(&near, commands[i]->name);
    }
    return out_fail(ctl, EX_USAGE, "no command %s%s%s; see fedgatectl --help",
                    quote(slice_from_cstr(name)).text, near.best ? ", did you mean " : "",
                    near.best ? near.best : "");
}

int main(int argc, char **argv)
{
    struct ctl ctl = {.config_path = CTL_CONFIG_PATH};
    struct wishes wishes = {0};
    const struct ctl_command *cmd;

    argc = take_globals(&ctl, &wishes, argc, argv);
    if (argc < 0) {
        return EX_USAGE;
    }
    if (wishes.version) {
        (void)puts("fedgatectl " FEDGATE_VERSION);
        return EX_OK;
    }
    if (argc < 2 && ctl.is_json && !wishes.help) {
        return out_fail(&ctl, EX_USAGE, "no command; see fedgatectl --help");
    }
    if (argc < 2) {
        usage(wishes.help ? stdout : stderr);
        return wishes.help ? EX_OK : EX_USAGE;
    }
    cmd = find(argv[1]);
    if (!cmd) {
        return unknown(&ctl, argv[1]);
    }
    if (wishes.help) {
        ctl_print_usage(cmd, stdout);
        (void)printf("%s\n", cmd->summary);
        return EX_OK;
    }
    return cmd->run(&ctl, argc - 1, argv + 1);
}
