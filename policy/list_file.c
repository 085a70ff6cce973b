/* SPDX-License-Identifier: GPL-2.0-or-later */
/* list_file: lines of a file. */
#include "policy/list_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/pool.h"
#include "base/utf8.h"

/* Longer than any entry, blanks and comment included. */
#define LINE_BYTES_MAX 4096u

void list_begin(struct list_reader *r, struct slice bytes)
{
    size_t mark = slice_starts(bytes, SLICE_LIT("\xef\xbb\xbf")) ? 3 : 0;

    *r = (struct list_reader){.rest = slice_from(bytes, mark)};
}

static struct slice without_comment(struct slice line)
{
    for (size_t i = 0; i < line.len; i++) {
        if (line.ptr[i] == '#' && (i == 0 || line.ptr[i - 1] == ' ' || line.ptr[i - 1] == '\t')) {
            return slice_trim(slice_to(line, i));
        }
    }
    return slice_trim(line);
}

static bool has_control(struct slice line)
{
    for (size_t i = 0; i < line.len; i++) {
        if ((unsigned char)line.ptr[i] < 0x20 || line.ptr[i] == 0x7f) {
            return true;
        }
    }
    return false;
}

static const char *parse(struct slice *text, struct entry *out)
{
    struct slice line = *text;

    *text = SLICE_NONE;
    if (line.len > LINE_BYTES_MAX) {
        return "is too long for an address";
    }
    if (memchr(line.ptr, 0, line.len)) {
        return "holds zero bytes: is the file UTF-16? Save it as UTF-8";
    }
    if (!utf8_is_valid(line)) {
        return "is not UTF-8; save the file as UTF-8";
    }
    *text = line;
    if (has_control(line)) {
        return "holds a control character; one address or domain per line is allowed";
    }
    return entry_parse(line, ENTRY_ADDRESS | ENTRY_DOMAIN, out);
}

enum list_step list_next(struct list_reader *r, struct entry *out, struct slice *text,
                         const char **fault)
{
    while (r->rest.len) {
        struct slice line;

        (void)slice_cut(&r->rest, '\n', &line);
        r->line++;
        *text = without_comment(line);
        if (text->len == 0) {
            continue;
        }
        *fault = parse(text, out);
        return *fault ? LIST_FAULT : LIST_ENTRY;
    }
    return LIST_END;
}

static const char *read_all(int fd, char *bytes, size_t bytes_max, size_t *len)
{
    *len = 0;
    while (*len < bytes_max) {
        ssize_t got = read(fd, bytes + *len, bytes_max - *len);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return err_text(-errno);
        }
        if (got == 0) {
            break;
        }
        *len += (size_t)got;
    }
    return NULL;
}

static void put_stamp(const struct stat *st, struct list_file *out)
{
    out->device = st->st_dev;
    out->inode = st->st_ino;
    out->size = (uint64_t)st->st_size;
    out->modified_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

bool list_file_is_same(const struct list_file *stamp)
{
    struct list_file now = {0};
    struct stat st;

    if (stat(stamp->path, &st) < 0) {
        return false;
    }
    put_stamp(&st, &now);
    return now.device == stamp->device && now.inode == stamp->inode && now.size == stamp->size &&
           now.modified_ns == stamp->modified_ns;
}

static const char *read_open(int fd, struct list_file *stamp, struct list_bytes *out)
{
    const char *fault;
    size_t bytes_max;
    struct stat st;

    if (fstat(fd, &st) < 0) {
        return err_text(-errno);
    }
    if (!S_ISREG(st.st_mode)) {
        return "is not a regular file";
    }
    if ((size_t)st.st_size > LIST_FILE_BYTES_MAX) {
        return "has more than 64 MiB";
    }
    put_stamp(&st, stamp);
    bytes_max = (size_t)st.st_size + 1; /* one more tells that it grew meanwhile */
    out->bytes = pool_heap_zalloc(bytes_max);
    fault = read_all(fd, out->bytes, bytes_max, &out->len);
    if (!fault && out->len != (size_t)st.st_size) {
        fault = "changed while it was read; write it elsewhere and rename it";
    }
    return fault;
}

const char *list_file_read(struct list_file *stamp, struct list_bytes *out)
{
    const char *fault;
    int fd = open(stamp->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    *out = (struct list_bytes){0};
    if (fd < 0) {
        return err_text(-errno);
    }
    fault = read_open(fd, stamp, out);
    (void)close(fd);
    if (fault) {
        pool_heap_free(out->bytes);
        *out = (struct list_bytes){0};
    }
    return fault;
}
