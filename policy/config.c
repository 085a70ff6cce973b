/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config: text -> document -> sections -> snapshot, or a report of everything that is wrong. */
#include "policy/config.h"

#include "base/check.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/pool.h"
#include "policy/build.h"

uint64_t config_text_hash(struct slice text)
{
    static const struct hash_key key = {0x6665646761746532u, 0x736f757263653032u};

    return hash_bytes_keyed(key, text);
}

static void build_all(struct load *l)
{
    struct load_where where = {.section = ""};
    struct schema_values root;

    if (!schema_read(l, 0, SECTION_root, &where, &root)) {
        return;
    }
    build_gateway(l, &root);
    build_limits(l, &root);
    build_node(l, &root);
    build_tls(l, &root);
    build_dns(l, &root);
    build_log(l, &root);
    build_listen(l, &root);
    build_hops(l, &root);
    build_domains(l, &root);
    build_groups(l, &root);
    build_access(l, &root);
    build_partners(l, &root);
    build_blocked(l, &root);
    build_check_groups(l);
    build_finish(l, &root);
}

int config_load(struct snapshot **out, const char *file, struct slice text,
                struct config_report *report)
{
    struct slice name = slice_from_cstr(file);
    struct load l = {.file = file};
    struct json_fault fault;
    int err;

    ASSERT(report->count == 0 && !report->file);
    *out = NULL;
    l.folder = slice_to(name, (size_t)(slice_find_last(name, '/') + 1));
    l.arena = arena_new();
    l.snapshot = pool_heap_zalloc(sizeof(*l.snapshot));
    l.snapshot->magic = SNAPSHOT_MAGIC;
    l.snapshot->arena = l.arena;
    l.snapshot->text_hash = config_text_hash(text);
    l.snapshot->source_hash = l.snapshot->text_hash;
    if (json_parse(&l.doc, text, CONFIG_DEPTH_MAX, &fault) == 0) {
        build_all(&l);
    } else {
        load_problem_at(&l, false, fault.offset, fault.path, fault.text);
    }
    load_report(&l, report);
    err = report->error_count ? ERR_CONFIG : 0;
    if (err) {
        snapshot_free(l.snapshot);
    } else {
        *out = l.snapshot;
    }
    map_deinit(&l.group_map);
    json_deinit(&l.doc);
    return err;
}
