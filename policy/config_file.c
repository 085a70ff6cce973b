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
#include "policy/list_file.h"

#define NOT_REGULAR "is not a regular file; the configuration is read from a file only"

void config_report_add(struct config_report *r, const char *file, bool is_warning, const char *text)
{
    struct config_problem *problem;

    if (!r->file) {
        r->file = pool_heap_strdup(file, strlen(file));
    }
    if (is_warning) {
        r->warning_count++;
    } else {
        r->error_count++;
    }
    if (r->count == CONFIG_PROBLEMS_MAX) {
        return;
    }
    r->problems = pool_heap_grow(r->problems, (r->count + 1) * sizeof(*r->problems));
    problem = &r->problems[r->count++];
    *problem = (struct config_problem){.is_warning = is_warning,
                                       .path = pool_heap_strdup("", 0),
                                       .text = pool_heap_strdup(text, strlen(text))};
}

/* A problem of the file as a whole, instead of its content. */
static int refuse(struct config_report *report, const char *path, const char *what, int err)
{
    char text[256];

    (void)snprintf(text, sizeof(text), "%s: %s", what, err_text(err));
    config_report_add(report, path, false, text);
    return ERR_CONFIG;
}

static bool holds_secrets(const struct snapshot *s)
{
    for (uint32_t i = 0; i < s->next_hop_count; i++) {
        if (s->next_hops[i].secret) {
            return true;
        }
    }
    return s->gateway.dialback_secret.len > 0;
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

/* The regular file at path, or -errno, ERR_UNSUPPORTED for anything else. Opening a pipe without
 * O_NONBLOCK waits for its writer, opening a device may have effects of its own. */
static int open_regular(const char *path, struct stat *st)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int err;

    if (fd < 0) {
        return -errno;
    }
    err = fstat(fd, st) < 0 ? -errno : S_ISREG(st->st_mode) ? 0 : ERR_UNSUPPORTED;
    if (err != 0) {
        (void)close(fd);
        return err;
    }
    return fd;
}

int config_load_file(struct snapshot **out, const char *path, struct config_report *report)
{
    struct stat st;
    size_t bytes_max;
    size_t len = 0;
    char *bytes;
    int err;
    int fd = open_regular(path, &st);

    *out = NULL;
    if (fd == ERR_UNSUPPORTED) {
        config_report_add(report, path, false, NOT_REGULAR);
        return ERR_CONFIG;
    }
    if (fd < 0) {
        return refuse(report, path, "cannot be opened", fd);
    }
    /* One byte more tells that it is too large, or grew meanwhile. */
    bytes_max = (size_t)st.st_size < CONFIG_FILE_BYTES_MAX ? (size_t)st.st_size + 1
                                                           : CONFIG_FILE_BYTES_MAX + 1;
    bytes = pool_heap_zalloc(bytes_max);
    err = read_all(fd, bytes, bytes_max, &len);
    (void)close(fd);
    err = err ? refuse(report, path, "cannot be read", err)
              : config_load(out, path, slice_make(bytes, len), report);
    explicit_bzero(bytes, len);
    pool_heap_free(bytes);
    if (!err && (st.st_mode & S_IROTH) && holds_secrets(*out)) {
        config_report_add(report, path, true,
                          "holds secrets and can be read by everyone on this machine; "
                          "chmod o-r helps");
    }
    return err;
}

int config_file_hash(const char *path, uint64_t *hash)
{
    struct stat st;
    size_t len = 0;
    char *bytes;
    int err;
    int fd = open_regular(path, &st);

    if (fd < 0) {
        return fd;
    }
    if ((size_t)st.st_size > CONFIG_FILE_BYTES_MAX) {
        (void)close(fd);
        return ERR_UNSUPPORTED;
    }
    bytes = pool_heap_zalloc((size_t)st.st_size + 1);
    err = read_all(fd, bytes, (size_t)st.st_size + 1, &len);
    (void)close(fd);
    *hash = err ? 0 : config_text_hash(slice_make(bytes, len));
    explicit_bzero(bytes, len);
    pool_heap_free(bytes);
    return err;
}

const char *config_changed_list(const struct snapshot *s)
{
    for (const struct list_file *f = s->list_files; f; f = f->next) {
        if (!list_file_is_same(f)) {
            return f->path;
        }
    }
    return NULL;
}
