/* SPDX-License-Identifier: GPL-2.0-or-later */
/* client_path: listen.admin out of a configuration file. */
#include "ctl/client_path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/err.h"
#include "base/pool.h"
#include "policy/config.h"
#include "policy/quote.h"

#define NOT_REGULAR EINVAL /* no other call here ends with it */

/* A pipe would wait for its writer, a device may never end: only regular files. */
static FILE *open_regular(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    FILE *in = NULL;

    if (fd < 0) {
        return NULL;
    }
    if (fstat(fd, &st) == 0) {
        if (S_ISREG(st.st_mode)) {
            in = fdopen(fd, "rb");
        } else {
            errno = NOT_REGULAR;
        }
    }
    if (!in) {
        int err = errno;

        (void)close(fd);
        errno = err;
    }
    return in;
}

/* The whole file; heap memory, or NULL with errno. */
static char *read_file(const char *path, size_t *len)
{
    FILE *in = open_regular(path);
    size_t cap = (size_t)64 << 10;
    char *bytes = NULL;
    size_t got = 0;

    *len = 0;
    if (!in) {
        return NULL;
    }
    do {
        bytes = pool_heap_grow(bytes, cap);
        got = fread(bytes + *len, 1, cap - *len, in);
        *len += got;
        cap *= 2;
    } while (got > 0 && *len <= CONFIG_FILE_BYTES_MAX);
    if (ferror(in) || *len > CONFIG_FILE_BYTES_MAX) {
        errno = ferror(in) ? errno : EFBIG;
        pool_heap_free(bytes);
        bytes = NULL;
    }
    (void)fclose(in);
    return bytes;
}

/* In a text with a mistake the objects that are open there have no end: what was read is theirs. */
static uint32_t end_of(const struct json_doc *doc, uint32_t object, bool is_whole)
{
    uint32_t end = doc->nodes[object].next;

    return is_whole || end > object + 1 ? end : doc->count;
}

static uint32_t member(const struct json_doc *doc, uint32_t object, const char *key, bool is_whole)
{
    uint32_t node = object + 1;

    if (object >= doc->count || json_kind_of(doc, object) != JSON_OBJECT) {
        return JSON_NONE;
    }
    while (node + 1 < end_of(doc, object, is_whole) && json_kind_of(doc, node) == JSON_KEY) {
        if (slice_eq_cstr(json_text(doc, node), key)) {
            return node + 1;
        }
        node = doc->nodes[node + 1].next;
    }
    return JSON_NONE;
}

/* listen.admin as it is written; empty = not there, or behind the mistake. */
static struct slice written_path(const struct json_doc *doc, bool is_whole)
{
    uint32_t listen = member(doc, 0, "listen", is_whole);
    uint32_t admin = listen == JSON_NONE ? JSON_NONE : member(doc, listen, "admin", is_whole);

    if (admin == JSON_NONE || json_kind_of(doc, admin) != JSON_TEXT) {
        return SLICE_NONE;
    }
    return json_text(doc, admin);
}

/* Relative ones begin at the file's folder. */
static int join(const char *file, struct slice path, char out[CLIENT_PATH_BYTES],
                char why[CLIENT_WHY_BYTES])
{
    struct slice name = slice_from_cstr(file);
    struct slice folder = slice_to(name, (size_t)(slice_find_last(name, '/') + 1));

    if (path.ptr[0] == '/') {
        folder = SLICE_NONE;
    }
    if (folder.len + path.len >= CLIENT_PATH_BYTES) {
        (void)snprintf(why, CLIENT_WHY_BYTES, "listen.admin %s is too long for a socket",
                       quote(path).text);
        return EX_CONFIG;
    }
    (void)snprintf(out, CLIENT_PATH_BYTES, "%.*s%.*s", SLICE_FMT(folder), SLICE_FMT(path));
    return EX_OK;
}

static int from_file(const struct ctl *ctl, char out[CLIENT_PATH_BYTES],
                     char why[CLIENT_WHY_BYTES])
{
    struct quoted file = quote(slice_from_cstr(ctl->config_path));
    struct json_doc doc = {0};
    struct json_fault fault;
    struct slice path;
    bool is_whole;
    size_t len;
    char *bytes = read_file(ctl->config_path, &len);
    int status;

    if (!bytes) {
        (void)snprintf(why, CLIENT_WHY_BYTES,
                       "%s, which says where the node's admin socket is, cannot be read: %s; give "
                       "--config FILE or --admin PATH", file.text,
                       errno == NOT_REGULAR ? "it is not a regular file" : err_text(-errno));
        return errno == EACCES ? EX_NOPERM : EX_NOINPUT;
    }
    is_whole = json_parse(&doc, slice_make(bytes, len), CONFIG_DEPTH_MAX, &fault) == 0;
    path = written_path(&doc, is_whole);
    if (path.len == 0 && !is_whole) {
        (void)snprintf(why, CLIENT_WHY_BYTES,
                       "%s has a mistake before it says where the node's admin socket is: %s; "
                       "fedgatectl check shows the place; give --admin PATH (often "
                       "/run/fedgate/admin.sock)", file.text, fault.text);
        status = EX_CONFIG;
    } else if (path.len == 0) {
        (void)snprintf(why, CLIENT_WHY_BYTES,
                       "%s has no listen.admin, so the node cannot be asked; write \"listen\": "
                       "{ \"admin\": \"/run/fedgate/admin.sock\" } and restart it", file.text);
        status = EX_CONFIG;
    } else {
        status = join(ctl->config_path, path, out, why);
    }
    json_deinit(&doc);
    explicit_bzero(bytes, len);
    pool_heap_free(bytes);
    return status;
}

int client_path(const struct ctl *ctl, char out[CLIENT_PATH_BYTES], char why[CLIENT_WHY_BYTES])
{
    if (!ctl->admin_path) {
        return from_file(ctl, out, why);
    }
    if (!slice_to_cstr(slice_from_cstr(ctl->admin_path), out, CLIENT_PATH_BYTES)) {
        (void)snprintf(why, CLIENT_WHY_BYTES, "--admin: a socket's path has at most %u bytes",
                       CLIENT_PATH_BYTES - 1);
        return EX_USAGE;
    }
    return EX_OK;
}
