/* SPDX-License-Identifier: GPL-2.0-or-later */
/* crl_load: files and folders of lists into a store, with errors an admin can act upon. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/check.h"
#include "base/err.h"
#include "base/pool.h"
#include "tls/crl_int.h"
#include "tls/pem.h"
#include "tls/tls_int.h"

struct loading {
    struct crl_store *store; /* borrowed */
    struct tls_error *why;
    const char *path;   /* of the file at hand */
    size_t bytes_total; /* of all files */
};

static int refuse(struct loading *l, const char *what)
{
    return tls_why(l->why, ERR_TLS_CONFIG, "CRL %.140s: %.90s", l->path, what);
}

static int add_list(struct loading *l, struct slice der)
{
    struct crl_store *store = l->store;
    struct crl_view view;
    const char *fault;
    if (store->count == CRL_LISTS_MAX) {
        return refuse(l, "is one list too many: at most 8192");
    }
    if (crl_parse(&view, der, &fault) != 0) {
        return refuse(l, fault);
    }
    if ((store->count & (store->count - 1)) == 0) {
        size_t room = store->count ? (size_t)store->count * 2 : 1;
        store->lists = pool_heap_grow(store->lists, room * sizeof(*store->lists));
    }
    struct crl *list = &store->lists[store->count];
    if (!crl_fill(list, &view, store->signature)) {
        return refuse(l, "its digest cannot be made by this TLS library");
    }
    list->path_idx = store->path_count - 1;
    store->count++;
    return 0;
}

static int add_pem(struct loading *l, struct slice text)
{
    struct slice der;
    uint32_t count = 0;
    int err = 0;
    while (err == 0 && pem_next_block(&text, SLICE_LIT("X509 CRL"), &der)) {
        err = slice_is_empty(der) ? refuse(l, "a BEGIN X509 CRL block is damaged")
                                  : add_list(l, der);
        pem_file_free(&der);
        count++;
    }
    if (err == 0 && count == 0) {
        err = refuse(l, "holds no BEGIN X509 CRL block and is no list in DER");
    }
    return err;
}

static int add_file(struct loading *l, const char *path)
{
    struct crl_store *store = l->store;
    struct slice bytes;
    l->path = path;
    int err = pem_file_read_max(path, CRL_FILE_BYTES_MAX, &bytes);
    if (err == ERR_LIMIT) {
        return refuse(l, "is no plain file, or larger than 64 MiB");
    }
    if (err != 0) {
        return refuse(l, err_text(err));
    }
    l->bytes_total += bytes.len;
    if (l->bytes_total > CRL_FILES_BYTES_MAX) {
        err = refuse(l, "all files together have more than 512 MiB");
    } else {
        store->paths =
            pool_heap_grow(store->paths, (store->path_count + 1) * sizeof(*store->paths));
        store->paths[store->path_count++] = pool_heap_strdup(path, strlen(path));
        bool is_der = bytes.len > 0 && bytes.ptr[0] == DER_SEQUENCE;
        err = is_der ? add_list(l, bytes) : add_pem(l, bytes);
    }
    pem_file_free(&bytes);
    return err;
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* A row of owned names. */
struct names {
    char **all;
    size_t count;
};

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted, so that errors name the same file each time. Hidden ones are left out: an updater writes
 * one and renames it. */
static bool read_names(struct names *names, const char *folder)
{
    struct dirent *entry;
    DIR *dir = opendir(folder);
    if (!dir) {
        return false;
    }
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] != '.') {
            names->all = pool_heap_grow(names->all, (names->count + 1) * sizeof(*names->all));
            names->all[names->count++] = pool_heap_strdup(entry->d_name, strlen(entry->d_name));
        }
    }
    (void)closedir(dir);
    if (names->count > 0) {
        qsort(names->all, names->count, sizeof(*names->all), compare_names);
    }
    return true;
}

static int add_folder(struct loading *l, const char *folder)
{
    char path[4096];
    struct names names = {0};
    int err = 0;
    l->path = folder;
    if (!read_names(&names, folder)) {
        return refuse(l, "the folder cannot be read");
    }
    for (size_t i = 0; i < names.count; i++) {
        int len = snprintf(path, sizeof(path), "%s/%s", folder, names.all[i]);
        if (err == 0 && (len < 0 || (size_t)len >= sizeof(path))) {
            err = refuse(l, "holds a name that is too long");
        } else if (err == 0 && !is_folder(path)) {
            err = add_file(l, path);
        }
        pool_heap_free(names.all[i]);
    }
    pool_heap_free(names.all);
    return err;
}

int crl_store_new(struct crl_store **out, const struct crl_store_params *params,
                  struct tls_error *why)
{
    struct crl_store *store = pool_heap_zalloc(sizeof(*store));
    struct loading l = {.store = store, .why = why};
    *out = NULL;
    store->signature = params->signature;
    store->crypto = params->crypto;
    (void)pthread_mutex_init(&store->lock, NULL);
    int err = is_folder(params->path) ? add_folder(&l, params->path) : add_file(&l, params->path);
    if (err != 0) {
        crl_store_free(store);
        return err;
    }
    crl_store_sort(store);
    *out = store;
    return 0;
}
