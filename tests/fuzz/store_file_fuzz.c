/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A database and its log with bytes changed or cut off, as input says: opening it ends, and what is
 * loaded are rows that were written, as they were written. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store_disk.h"

static int check_row(void *ctx, const struct store_contact *c)
{
    uint64_t n = 0;

    (void)ctx;
    if (!slice_parse_u64(slice_from(c->pair.local_user, 1), &n) || n < 1 || n > DISK_ROWS ||
        c->state != (n % 2 ? STORE_STATE_GRANTED : STORE_STATE_DENIED) ||
        c->changed_unix_s != (int64_t)n || (c->dialogs.len != 0 && c->dialogs.len != DISK_BYTES)) {
        abort();
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct store_reader reader = {.contact = check_row};
    struct store_load_report report;
    struct store_item item = disk_row(1);
    struct disk_image *image = disk_fresh();
    struct store *s;
    uint64_t ticket;
    char why[512];

    /* Five bytes an edit: how, where (three), what. */
    for (; size >= 5; data += 5, size -= 5) {
        size_t at = (data[1] * 65536u + data[2] * 256u + data[3]) % image->len;

        if (data[0] == 0xff) {
            disk_cut(image, at);
        } else {
            image->bytes[at] = (char)(data[0] & 1 ? image->bytes[at] ^ data[4] : data[4]);
        }
    }
    disk_write(image);
    if (store_open(&s, &disk_params, why, sizeof(why)) == 0) {
        if (store_load(s, &reader, &report, why, sizeof(why)) == 0 &&
            store_start(s, why, sizeof(why)) == 0) {
            (void)!store_write(s, 0, &item, &ticket);
            (void)!store_stop(s, 10000);
        }
        store_free(s);
    }
    disk_remove();
    return 0;
}
