/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stats: the tables behind stats.def. */
#include "edge/stats.h"

#include "base/attr.h"

const struct stat_desc stat_descs[] = {
#define STAT(name, unit, help) {#name, unit, help, offsetof(struct edge_stats, name)},
#include "edge/stats.def"
#undef STAT
};
const size_t stat_desc_count = ARRAY_COUNT(stat_descs);

const char *fail_step_name(enum fail_step step)
{
    static const char *const names[] = {"dns",  "tcp",      "tls",    "certificate", "header",
                                        "sasl", "dialback", "policy", "stream",      "timeout"};

    STATIC_ASSERT(ARRAY_COUNT(names) == FAIL_STEP_COUNT, "one name each");
    return (size_t)step < ARRAY_COUNT(names) ? names[step] : "?";
}

const char *stat_method_name(enum stat_method method)
{
    static const char *const names[] = {
#define X(name, text) text,
        STAT_METHODS(X)
#undef X
    };

    return (size_t)method < ARRAY_COUNT(names) ? names[method] : "?";
}

const char *bounce_why_name(enum bounce_why why)
{
    static const char *const names[] = {
#define X(name, text) text,
        BOUNCE_REASONS(X)
#undef X
    };

    return (size_t)why < ARRAY_COUNT(names) ? names[why] : "?";
}
