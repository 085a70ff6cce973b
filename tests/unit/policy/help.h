/* SPDX-License-Identifier: GPL-2.0-or-later */
/* help: configurations made of a good one with some sections exchanged, and what they yield. */
#ifndef FG_TEST_POLICY_HELP_H
#define FG_TEST_POLICY_HELP_H

#include "policy/config.h"

/* NULL = the good default below. Each section stands on a line of its own, in this order, so
 * that tests know the line numbers: node is line 1, listen 2, ... blocked 14. */
struct help_doc {
    const char *node;      /* 1 */
    const char *listen;    /* 2 */
    const char *tls;       /* 3 */
    const char *dns;       /* 4 */
    const char *domains;   /* 5 */
    const char *next_hops; /* 6 */
    const char *partners;  /* 7 */
    const char *gateway;   /* 8 */
    const char *limits;    /* 9 */
    const char *log;       /* 10 */
    const char *store;     /* 11 */
    const char *access;    /* 12 */
    const char *groups;    /* 13 */
    const char *blocked;   /* 14 */
};

/* The text of doc; valid until the next call. */
struct slice help_text(const struct help_doc *doc);
/* Loads text as file "f"; aborts the test with the report if it does not load. */
struct snapshot *help_load_text(struct slice text);
struct snapshot *help_load(const struct help_doc *doc);
/* What --check would print for it; valid until the next call. */
const char *help_report_text(struct slice text);
const char *help_report(const struct help_doc *doc);
/* The same with the file's name, for configurations that name other files. */
const char *help_report_at(const char *file, struct slice text);
/* A folder of mkdtemp below /tmp, with all that is in it. */
void help_remove_folder(const char *folder);

#endif
