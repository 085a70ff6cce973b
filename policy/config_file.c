/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_file: reading the file; everything else is config.c. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/pool.h"
#include "policy/config.h"

/* A problem of the file as a whole, instead of its content. */
static int refuse(struct config_report *report, const char *path, const char *what, int err)
{
    char text[256];

    (void)snprintf(text, sizeof(text), "%s: %s", what, err_text(err));
    report->file = pool_heap_strdup(path, strlen(path));
    report->problems = pool_heap_zalloc(sizeof(*report->problems));
    report->problems[0].path = pool_heap_strdup("", 0);
    report->problems[0].text = pool_heap_strdup(text, strlen(text));
    report->count = 1;
    report->error_count = 1;
    return ERR_CONFIG;
}

static bool holds_secrets(const struct snapshot *s)
{
    for (uint32_t i = 0; i < s->next_hop_count; i++) {
        if (s->next_hops[i].secret) {
            return true;
        }
    }
    return s->gateway.dialback_secret.len > 0 || s->store_kind == STORE_POSTGRESQL;
}

static void warn_readable(struct config_report *report)
{
    static const char text[] = "holds secrets and can be read by everyone on this machine; "
                               "chmod o-r helps";
    struct config_problem *problem;

    report->warning_count++;
    if (report->count == CONFIG_PROBLEMS_MAX) {
        return;
    }
    report->problems =
        pool_heap_grow(report->problems, (report->count + 1) * sizeof(*report->problems));
    problem = &report->problems[report->count++];
    *problem = (struct config_problem){.is_warning = true,
                                       .path = pool_heap_strdup("", 0),
                                       .text = pool_heap_strdup(text, sizeof(text) - 1)};
}

/* Reads until the end; one byte more than allowed is enough to know that it is too large. */
static int read_all(int fd, char *bytes, size_t bytes_max, size_t *len)
{
    *len = 0;
    while (*len < bytes_max) {
        ssize_t got = read(fd, bytes + *len, bytes_max - *len);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -errno;
        }
        if (got == 0) {
            break;
        }
        *len += (size_t)got;
    }
    return 0;
}

int config_load_file(struct snapshot **out, const char *path, struct config_report *report)
{
    struct stat st;
    size_t bytes_max;
    size_t len = 0;
    char *bytes;
    int err = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    *out = NULL;
    if (fd < 0) {
        return refuse(report, path, "cannot be opened", -errno);
    }
    if (fstat(fd, &st) < 0) {
        err = -errno;
        (void)close(fd);
        return refuse(report, path, "cannot be read", err);
    }
    /* A pipe has no size: as much as is allowed is read from it. */
    bytes_max = S_ISREG(st.st_mode) && (size_t)st.st_size < CONFIG_FILE_BYTES_MAX
                    ? (size_t)st.st_size + 1
                    : CONFIG_FILE_BYTES_MAX + 1;
    bytes = pool_heap_zalloc(bytes_max);
    err = read_all(fd, bytes, bytes_max, &len);
    (void)close(fd);
    err = err ? refuse(report, path, "cannot be read", err)
              : config_load(out, path, slice_make(bytes, len), report);
    explicit_bzero(bytes, len);
    pool_heap_free(bytes);
    if (!err && S_ISREG(st.st_mode) && (st.st_mode & S_IROTH) && holds_secrets(*out)) {
        warn_readable(report);
    }
    return err;
}
