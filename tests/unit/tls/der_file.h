/* SPDX-License-Identifier: GPL-2.0-or-later */
/* der_file: the certificates of a test file as DER. */
#ifndef FG_TESTS_TLS_DER_FILE_H
#define FG_TESTS_TLS_DER_FILE_H

#include "base/slice.h"

#define DER_FILE_CERTS_MAX 12u

struct der_file {
    char *bytes[DER_FILE_CERTS_MAX]; /* owned */
    struct slice certs[DER_FILE_CERTS_MAX];
    uint32_t count;
};

/* TLS_CERTS/NAME.EXT; asserts that it holds at least one certificate. */
void der_file_load(struct der_file *f, const char *name, const char *ext);
void der_file_free(struct der_file *f);

#endif
