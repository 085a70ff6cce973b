/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text: reading a file and making UTF-8 of it. */
#include "import/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/pool.h"
#include "base/utf8.h"

/* The longest UTF-8 of one UTF-16 unit (a pair of units has four). */
#define UTF8_BYTES_PER_UNIT 3u

#define TOO_LARGE                                                                                  \
    "is larger than 64 MiB (as UTF-8); export the lists one by one, users with Select-Object and " \
    "the three members that count"

int import_refuse(struct import_fault *fault, uint32_t offset, const char *fmt, ...)
{
    va_list args;

    fault->offset = offset;
    va_start(args, fmt);
    (void)vsnprintf(fault->text, sizeof(fault->text), fmt, args);
    va_end(args);
    return ERR_BAD_INPUT;
}

void import_text_deinit(struct import_text *t)
{
    if (t->bytes) {
        explicit_bzero(t->bytes, t->len);
    }
    pool_heap_free(t->bytes);
    *t = (struct import_text){0};
}

static uint32_t unit_at(struct slice raw, size_t at, bool is_big_endian)
{
    uint32_t first = (unsigned char)raw.ptr[at];
    uint32_t second = (unsigned char)raw.ptr[at + 1];

    return is_big_endian ? first << 8 | second : second << 8 | first;
}

static int decode_utf16(struct import_text *t, struct slice raw, bool is_big_endian,
                        struct import_fault *fault)
{
    if (raw.len % 2 != 0) {
        return import_refuse(fault, IMPORT_NOWHERE,
                             "is UTF-16 and ends inside a character: it was cut off; copy the file "
                             "again");
    }
    t->bytes = pool_heap_zalloc(raw.len / 2 * UTF8_BYTES_PER_UNIT + 1);
    for (size_t at = 0; at < raw.len; at += 2) {
        uint32_t c = unit_at(raw, at, is_big_endian);

        if (c >= 0xd800 && c < 0xdc00 && at + 2 < raw.len) {
            uint32_t low = unit_at(raw, at + 2, is_big_endian);

            if (low >= 0xdc00 && low < 0xe000) {
                c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
                at += 2;
            }
        }
        if (c == 0 || (c >= 0xd800 && c < 0xe000)) {
            return import_refuse(fault, (uint32_t)t->len,
                                 "is UTF-16 with a character that is none (U+%04X): the file is "
                                 "damaged, or no text; export it again",
                                 (unsigned)c);
        }
        t->len += utf8_put(t->bytes + t->len, c);
    }
    return 0;
}

/* Two bytes a character, the high ones zero: what Windows writes, without its mark. */
static bool looks_like_utf16(struct slice raw)
{
    return raw.len >= 4 && raw.ptr[0] && !raw.ptr[1] && raw.ptr[2] && !raw.ptr[3];
}

static void copy(struct import_text *t, struct slice text)
{
    t->bytes = pool_heap_zalloc(text.len + 1);
    memcpy(t->bytes, text.ptr, text.len);
    t->len = text.len;
}

static int decode_utf8(struct import_text *t, struct slice raw, struct import_fault *fault)
{
    size_t at = 0;
    uint32_t c;

    while (at < raw.len) {
        size_t from = at;

        if (!utf8_next(raw, &at, &c) || c == 0) {
            copy(t, slice_to(raw, from)); /* to count its lines */
            return import_refuse(
                fault, (uint32_t)from,
                "is no UTF-8 and no UTF-16 text; in PowerShell write files with \"Export-Clixml "
                "FILE\" or \"... | Set-Content -Encoding UTF8 FILE\"");
        }
    }
    copy(t, raw);
    return 0;
}

int import_text_decode(struct import_text *t, struct slice raw, struct import_fault *fault)
{
    int err;

    if (raw.len > IMPORT_RAW_BYTES_MAX) {
        return import_refuse(fault, IMPORT_NOWHERE, TOO_LARGE);
    }
    if (raw.len >= 2 && memcmp(raw.ptr, "\xff\xfe", 2) == 0) {
        err = decode_utf16(t, slice_from(raw, 2), false, fault);
    } else if (raw.len >= 2 && memcmp(raw.ptr, "\xfe\xff", 2) == 0) {
        err = decode_utf16(t, slice_from(raw, 2), true, fault);
    } else if (looks_like_utf16(raw)) {
        err = decode_utf16(t, raw, false, fault);
    } else {
        err = decode_utf8(
            t, slice_starts(raw, SLICE_LIT("\xef\xbb\xbf")) ? slice_from(raw, 3) : raw, fault);
    }
    if (!err && t->len > IMPORT_BYTES_MAX) {
        err = import_refuse(fault, IMPORT_NOWHERE, TOO_LARGE);
    }
    return err;
}

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

int import_text_read(struct import_text *t, const char *path, struct import_fault *fault)
{
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    size_t bytes_max;
    size_t len = 0;
    char *bytes;
    int err;

    if (fd < 0) {
        return -errno;
    }
    err = fstat(fd, &st) < 0 ? -errno : 0;
    if (!err && S_ISDIR(st.st_mode)) {
        err = -EISDIR;
    }
    if (err) {
        if (!is_stdin) {
            (void)close(fd);
        }
        return err;
    }
    /* A pipe has no size; one byte more than allowed is enough to know that it is too large. */
    bytes_max = S_ISREG(st.st_mode) && (size_t)st.st_size < IMPORT_RAW_BYTES_MAX
                    ? (size_t)st.st_size + 1
                    : IMPORT_RAW_BYTES_MAX + 1;
    bytes = pool_heap_zalloc(bytes_max);
    err = read_all(fd, bytes, bytes_max, &len);
    if (!is_stdin) {
        (void)close(fd);
    }
    err = err ? err : import_text_decode(t, slice_make(bytes, len), fault);
    explicit_bzero(bytes, len);
    pool_heap_free(bytes);
    return err;
}
