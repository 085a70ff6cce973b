/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store_disk: what store_file_fuzz damages: a database and its log as a crash left them. */
#ifndef FG_FUZZ_STORE_DISK_H
#define FG_FUZZ_STORE_DISK_H

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/store.h"

enum { DISK_ROWS = 30, DISK_BYTES = 200, DISK_MAX = 1 << 19 };

/* The database's bytes, then the log's. */
struct disk_image {
    char bytes[DISK_MAX];
    size_t len;
    size_t log_at;
    size_t file_len; /* what is left of each */
    size_t log_len;
};

static char disk_folder[64];
static char disk_path[80];
static char disk_log[96];

static bool disk_done(uint32_t shard_idx, const struct store_done *done, void *ctx)
{
    (void)shard_idx;
    (void)done;
    (void)ctx;
    return true;
}

static const struct store_params disk_params = {
    .target = disk_path, .shard_count = 1, .queue_bytes = 1, .done = disk_done};

static struct store_item disk_row(uint32_t n)
{
    static char user[16];
    static char dialogs[DISK_BYTES];
    struct store_item item = {.what = STORE_PUT_CONTACT, .is_urgent = true};

    (void)snprintf(user, sizeof(user), "u%u", (unsigned)n);
    memset(dialogs, 'd', sizeof(dialogs));
    item.contact.pair = (struct store_pair){slice_from_cstr(user), SLICE_LIT("l.test"), SLICE_NONE,
                                            SLICE_LIT("r.test")};
    item.contact.state = n % 2 ? STORE_STATE_GRANTED : STORE_STATE_DENIED;
    item.contact.changed_unix_s = n;
    item.contact.dialogs = slice_make(dialogs, sizeof(dialogs));
    return item;
}

static size_t disk_read(const char *path, char *out)
{
    int fd = open(path, O_RDONLY);
    ssize_t len = fd < 0 ? 0 : read(fd, out, DISK_MAX / 2);

    if (fd >= 0) {
        (void)close(fd);
    }
    return len < 0 ? 0 : (size_t)len;
}

static void disk_must(bool is_true)
{
    if (!is_true) {
        abort();
    }
}

static void disk_remove(void)
{
    struct dirent *entry;
    DIR *dir = opendir(disk_folder);
    char path[400];

    while (dir && (entry = readdir(dir)) != NULL) {
        (void)snprintf(path, sizeof(path), "%s/%s", disk_folder, entry->d_name);
        if (entry->d_name[0] != '.') {
            (void)unlink(path);
        }
    }
    if (dir) {
        (void)closedir(dir);
    }
}

static void disk_end(void)
{
    disk_remove();
    (void)rmdir(disk_folder);
}

/* Half of the rows in the database, half in the log; not closed cleanly. */
static void disk_make(struct disk_image *image)
{
    struct store_item item;
    uint64_t ticket;
    struct store *s;
    char why[512];

    (void)snprintf(disk_folder, sizeof(disk_folder), "/dev/shm/fg-store-fuzz-XXXXXX");
    disk_must(mkdtemp(disk_folder) != NULL);
    (void)atexit(disk_end);
    (void)snprintf(disk_path, sizeof(disk_path), "%s/db", disk_folder);
    (void)snprintf(disk_log, sizeof(disk_log), "%s-wal", disk_path);
    for (uint32_t half = 0; half < 2; half++) {
        disk_must(store_open(&s, &disk_params, why, sizeof(why)) == 0);
        disk_must(store_start(s, why, sizeof(why)) == 0);
        for (uint32_t n = 1; n <= DISK_ROWS / 2; n++) {
            struct store_stats stats = {.queue_items = 1};

            item = disk_row(half * (DISK_ROWS / 2) + n);
            disk_must(store_write(s, 0, &item, &ticket) == 0);
            while (stats.queue_items != 0) {
                store_stats_read(s, &stats);
            }
        }
        if (half == 1) {
            image->log_at = image->file_len = disk_read(disk_path, image->bytes);
            image->log_len = disk_read(disk_log, image->bytes + image->log_at);
            image->len = image->log_at + image->log_len;
            disk_must(image->log_len != 0);
        }
        disk_must(store_stop(s, 10000) == 0);
        store_free(s);
    }
    disk_remove();
}

static struct disk_image *disk_fresh(void)
{
    static struct disk_image made;
    static struct disk_image image;

    if (made.len == 0) {
        disk_make(&made);
    }
    memcpy(&image, &made, sizeof(image));
    return &image;
}

static void disk_cut(struct disk_image *image, size_t at)
{
    if (at < image->log_at) {
        image->file_len = at < image->file_len ? at : image->file_len;
    } else if (at - image->log_at < image->log_len) {
        image->log_len = at - image->log_at;
    }
}

static void disk_put(const char *path, const char *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    disk_must(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
    (void)close(fd);
}

static void disk_write(const struct disk_image *image)
{
    disk_put(disk_path, image->bytes, image->file_len);
    disk_put(disk_log, image->bytes + image->log_at, image->log_len);
}

#endif
