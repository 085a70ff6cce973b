/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ctl: fedgatectl, the administrator's command line: reads and edits the configuration file, asks
 * the running node over its admin socket, imports the old product's exports, walks to a partner and
 * says which step fails. Every command prints a table or a sentence for people, or with --json one
 * JSON document on stdout; mistakes go to stderr (with --json also as {"error": ...} on stdout).
 * Exit status: sysexits(3): 0; 64 usage; 65 bad input data; 66 no such file or partner; 69 no
 * running node or a step of a diagnosis failed; 73, 74, 77 writing; 78 a bad configuration.
 * One process, one thread. What commands share is here; each command has a file of its own.     */
#ifndef FG_CTL_CTL_H
#define FG_CTL_CTL_H

#include <stdbool.h>
#include <stdio.h>

#define CTL_CONFIG_PATH "/etc/fedgate/fedgate.conf" /* --config FILE */

/* Of the options that all commands have; main.c takes them out of argv wherever they stand. */
struct ctl {
    const char *config_path;
    const char *admin_path; /* --admin PATH; NULL = listen.admin of the file */
    bool is_json;
    unsigned reply_s; /* how long the node's answer is waited for; 0 = as client.h says */
};

struct ctl_command {
    const char *name;    /* "partner" */
    const char *usage;   /* arguments, one form per line; "" = none */
    const char *summary; /* one line */
    /* argv[0] is the command's name; returns the exit status. */
    int (*run)(struct ctl *ctl, int argc, char **argv);
};

/* "usage: fedgatectl NAME ...", a line for each form. */
void ctl_print_usage(const struct ctl_command *cmd, FILE *to);

/* `partner list`, `policy grant`: one of the forms of a command. */
struct ctl_form {
    const char *name; /* NULL ends a table */
    int (*run)(struct ctl *ctl, int argc, char **argv);
};
/* Runs the form that argv[1] names, with argv from there on; else says which there are. */
int ctl_run_form(struct ctl *ctl, const struct ctl_command *command, const struct ctl_form *forms,
                 int argc, char **argv);

/* One per file: cmd_partner.c, cmd_policy.c, cmd_contact.c, cmd_check.c, cmd_reload.c, cmd_why.c,
 * cmd_import.c, cmd_diagnose.c, cmd_status.c. */
extern const struct ctl_command cmd_check;
extern const struct ctl_command cmd_contact;
extern const struct ctl_command cmd_diagnose;
extern const struct ctl_command cmd_import;
extern const struct ctl_command cmd_partner;
extern const struct ctl_command cmd_policy;
extern const struct ctl_command cmd_reload;
extern const struct ctl_command cmd_status;
extern const struct ctl_command cmd_why;

#endif
