/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config: the configuration file (JSON with // and C comments) -> a validated snapshot. All errors
 * of a file are found at once, each with line, column, path, what is wrong and what is allowed.
 * The list files that it names are read with it. Nothing here opens a socket or looks at the
 * certificate files' content (tls_context_new does).
 * Threads: control thread. Memory: plain heap. The format is described in fedgate.conf(5).       */
#ifndef FG_POLICY_CONFIG_H
#define FG_POLICY_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/slice.h"
#include "policy/snapshot.h"

struct jout;

#define CONFIG_FILE_BYTES_MAX ((size_t)64 << 20)
#define CONFIG_DEPTH_MAX      16u
/* Further problems of the same file are counted, not kept. */
#define CONFIG_PROBLEMS_MAX 1000u

struct config_problem {
    bool is_warning;
    uint32_t line;   /* from 1; 0 = the file as a whole */
    uint32_t column; /* from 1, in characters (code points) */
    char *path;      /* owned; "partners[3].domain"; "" = the file */
    char *text;      /* owned; what is wrong and what is allowed; no secrets */
};

struct config_report {
    char *file;                      /* owned; as given */
    struct config_problem *problems; /* owned; sorted by place */
    uint32_t count;
    uint32_t error_count; /* including those not kept */
    uint32_t warning_count;
};

/* A zeroed report is empty. */
void config_report_deinit(struct config_report *r);
/* "FILE:LINE:COLUMN: path.to.key: what is wrong and what is allowed\n", warnings with "warning: "
 * before the text; appended for all problems. */
void config_report_write(const struct config_report *r, struct buf *out);
/* The same to stderr. */
void config_report_print(const struct config_report *r);
/* One more problem, of the file as a whole; file: as given, when the report is still empty. */
void config_report_add(struct config_report *r, const char *file, bool is_warning,
                       const char *text);
/* As members of the object that is open in j: "file", "errors", "warnings" (counts), "problems":
 * [{"line", "column", "path", "text", "is_warning"}]; line and column null for the file as a
 * whole. */
void config_report_write_json(const struct config_report *r, struct jout *j);

/* Compiles text. file: for messages and as the place that relative paths start from (its folder).
 * 0 and *out (warnings may be in report), or ERR_CONFIG with report->error_count >= 1, *out NULL.
 * report must be empty; deinit it in either case.                                                */
NODISCARD int config_load(struct snapshot **out, const char *file, struct slice text,
                          struct config_report *report);
/* The same from a regular file; what opening or reading says also stands in the report. Pipes and
 * devices are refused at once. */
NODISCARD int config_load_file(struct snapshot **out, const char *path,
                               struct config_report *report);

/* Path of a list file that is not any more what was read with this configuration, borrowed from s;
 * NULL: all are. Looks at each file's metadata, not at its content. */
const char *config_changed_list(const struct snapshot *s);
/* What snapshot.text_hash is for this text, in any process. */
uint64_t config_text_hash(struct slice text);
/* Of the regular file at path as it is now; -errno, or ERR_UNSUPPORTED for a pipe and the like.
 * Never waits for a writer. */
NODISCARD int config_file_hash(const char *path, uint64_t *hash);

#endif
