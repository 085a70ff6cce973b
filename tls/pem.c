/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pem: see pem.h. */
#include "tls/pem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/base64.h"
#include "base/err.h"
#include "base/pool.h"

/* Offset of needle in s, or -1. */
static ptrdiff_t find(struct slice s, struct slice needle)
{
    const char *at = s.len ? memmem(s.ptr, s.len, needle.ptr, needle.len) : NULL;
    return at ? at - s.ptr : -1;
}

/* What stands between the next pair of lines; false when there is no first one. Without the second
 * *body is empty. */
static bool next_body(struct slice *text, struct slice label, struct slice *body)
{
    char begin[64];
    char end[64];
    (void)snprintf(begin, sizeof(begin), "-----BEGIN %.*s-----", SLICE_FMT(label));
    (void)snprintf(end, sizeof(end), "-----END %.*s-----", SLICE_FMT(label));
    *body = SLICE_NONE;
    ptrdiff_t at = find(*text, slice_from_cstr(begin));
    if (at < 0) {
        return false;
    }
    *text = slice_from(*text, (size_t)at + strlen(begin));
    ptrdiff_t until = find(*text, slice_from_cstr(end));
    if (until < 0) {
        *text = SLICE_NONE;
        return true;
    }
    *body = slice_to(*text, (size_t)until);
    *text = slice_from(*text, (size_t)until + strlen(end));
    return true;
}

#define PEM_STEP_BYTES 4096u /* of base64: a multiple of 4 */

/* Decodes the first len of *step to the end of der. Only the last group may be a short one. */
static bool decode_step(struct slice *der, char *out, struct slice step, bool is_last)
{
    struct buf bytes;
    buf_init(&bytes, PEM_STEP_BYTES);
    bool ok = base64_decode(&bytes, step) && (is_last || buf_len(&bytes) == step.len / 4 * 3);
    if (ok && buf_len(&bytes) > 0) {
        memcpy(out + der->len, buf_slice(&bytes).ptr, buf_len(&bytes));
        der->len += buf_len(&bytes);
    }
    buf_deinit(&bytes);
    return ok;
}

bool pem_next_block(struct slice *text, struct slice label, struct slice *der)
{
    struct slice body;
    *der = SLICE_NONE;
    if (!next_body(text, label, &body)) {
        return false;
    }
    char step[PEM_STEP_BYTES];
    size_t have = 0;
    bool ok = true;
    char *out = pool_heap_zalloc(body.len / 4 * 3 + 3);
    *der = slice_make(out, 0);
    for (size_t i = 0; i < body.len && ok; i++) {
        if (ascii_is_space(body.ptr[i])) {
            continue;
        }
        if (have == sizeof(step)) {
            ok = decode_step(der, out, slice_make(step, have), false);
            have = 0;
        }
        step[have++] = body.ptr[i];
    }
    ok = ok && decode_step(der, out, slice_make(step, have), true);
    if (!ok || der->len == 0) {
        pool_heap_free(out);
        *der = SLICE_NONE;
    }
    return true;
}

bool pem_next_certificate(struct slice *text, struct buf *der)
{
    struct slice body;
    buf_clear(der);
    if (!next_body(text, SLICE_LIT("CERTIFICATE"), &body)) {
        return false;
    }
    struct buf packed;
    buf_init(&packed, PEM_FILE_BYTES_MAX);
    for (size_t i = 0; i < body.len; i++) {
        if (!ascii_is_space(body.ptr[i])) {
            buf_putc(&packed, body.ptr[i]);
        }
    }
    if (packed.failed || !base64_decode(der, buf_slice(&packed))) {
        buf_clear(der);
    }
    buf_deinit(&packed);
    return true;
}

static int read_all(int fd, char *text, size_t size, size_t *len)
{
    *len = 0;
    while (*len < size) {
        ssize_t got = read(fd, text + *len, size - *len);
        if (got < 0 && errno != EINTR) {
            return -errno;
        }
        if (got == 0) {
            break;
        }
        *len += got > 0 ? (size_t)got : 0;
    }
    return 0;
}

int pem_file_read(const char *path, struct slice *out)
{
    return pem_file_read_max(path, PEM_FILE_BYTES_MAX, out);
}

int pem_file_read_max(const char *path, size_t bytes_max, struct slice *out)
{
    *out = SLICE_NONE;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return -errno;
    }
    struct stat st;
    int err = fstat(fd, &st) < 0 ? -errno : 0;
    if (err == 0 && S_ISDIR(st.st_mode)) {
        err = -EISDIR;
    }
    if (err == 0 && (!S_ISREG(st.st_mode) || st.st_size > (off_t)bytes_max)) {
        err = ERR_LIMIT;
    }
    if (err == 0) {
        size_t size = (size_t)st.st_size;
        char *text = pool_heap_zalloc(size + 1);
        size_t len;
        err = read_all(fd, text, size, &len);
        *out = slice_make(text, len);
        if (err != 0) {
            pem_file_free(out);
        }
    }
    (void)close(fd);
    return err;
}

void pem_file_free(struct slice *text)
{
    if (text->ptr) {
        char *bytes = (char *)(uintptr_t)text->ptr; /* ours: pem_file_read */
        explicit_bzero(bytes, text->len);
        pool_heap_free(bytes);
    }
    *text = SLICE_NONE;
}
