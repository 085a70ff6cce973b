/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pem: RFC 7468 blocks out of a text, and whole small files. Control thread. */
#ifndef FG_TLS_PEM_H
#define FG_TLS_PEM_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/slice.h"

#define PEM_FILE_BYTES_MAX (8u << 20)

/* The next "CERTIFICATE" block of *text, decoded into der (cleared first); *text moves behind it.
 * False when there is none left. A block that does not decode gives an empty der and true.       */
bool pem_next_certificate(struct slice *text, struct buf *der);
/* The same for a block of another label ("X509 CRL") and of any size: *der is heap, to be freed
 * with pem_file_free. A block that does not decode gives an empty *der and true. */
bool pem_next_block(struct slice *text, struct slice label, struct slice *der);
/* Whole file, NUL-terminated, heap: free with pem_file_free (which wipes: it may be a key).
 * 0 or -errno; ERR_LIMIT when larger than PEM_FILE_BYTES_MAX.                                    */
NODISCARD int pem_file_read(const char *path, struct slice *out);
/* With another bound. */
NODISCARD int pem_file_read_max(const char *path, size_t bytes_max, struct slice *out);
void pem_file_free(struct slice *text);

#endif
