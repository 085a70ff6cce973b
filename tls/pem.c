/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pem: see pem.h. */
#include "tls/pem.h"

#include <errno.h>
#include <fcntl.h>
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

bool pem_next_certificate(struct slice *text, struct buf *der)
{
    struct slice begin = SLICE_LIT("-----BEGIN CERTIFICATE-----");
    struct slice end = SLICE_LIT("-----END CERTIFICATE-----");
    buf_clear(der);
    ptrdiff_t at = find(*text, begin);
    if (at < 0) {
        return false;
    }
    struct slice body = slice_from(*text, (size_t)at + begin.len);
    ptrdiff_t until = find(body, end);
    if (until < 0) {
        *text = SLICE_NONE;
        return true;
    }
    *text = slice_from(body, (size_t)until + end.len);
    body = slice_to(body, (size_t)until);
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
    if (err == 0 && (!S_ISREG(st.st_mode) || st.st_size > (off_t)PEM_FILE_BYTES_MAX)) {
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
