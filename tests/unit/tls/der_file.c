/* SPDX-License-Identifier: GPL-2.0-or-later */
/* der_file: see der_file.h. */
#include "der_file.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/pool.h"
#include "tls/pem.h"

void der_file_load(struct der_file *f, const char *name, const char *ext)
{
    char path[256];
    struct slice pem;
    struct buf der;
    (void)snprintf(path, sizeof(path), TLS_CERTS "/%s.%s", name, ext);
    cr_assert_eq(pem_file_read(path, &pem), 0, "%s", path);
    struct slice rest = pem;
    buf_init(&der, 1u << 20);
    *f = (struct der_file){0};
    while (f->count < DER_FILE_CERTS_MAX && pem_next_certificate(&rest, &der)) {
        struct slice bytes = buf_slice(&der);
        cr_assert_gt(bytes.len, 0);
        f->bytes[f->count] = pool_heap_strdup(bytes.ptr, bytes.len);
        f->certs[f->count] = slice_make(f->bytes[f->count], bytes.len);
        f->count++;
    }
    cr_assert_gt(f->count, 0, "%s", path);
    buf_deinit(&der);
    pem_file_free(&pem);
}

void der_file_free(struct der_file *f)
{
    for (uint32_t i = 0; i < f->count; i++) {
        pool_heap_free(f->bytes[i]);
    }
    f->count = 0;
}
