/* SPDX-License-Identifier: GPL-2.0-or-later */
/* partners_bench: a configuration of a million partners: CPU time to load and to publish it, memory
 * that stays per partner, and the time of one lookup by domain, beside the general hash map
 * (base/map.h) over the same names in the same rounds, and by policy_pair and policy_decide.
 * Names that are looked up stand in a row, as a stanza's address is warm in the cache when it is
 * asked about; the tables are not. Medians of the rounds.
 * Usage: partners_bench [PARTNERS] [ROUNDS] [--json | --check]                                   */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/pool.h"
#include "policy/config.h"
#include "policy/decide.h"

#define PARTNERS     1000000u
#define ROUNDS       9u
#define ROUNDS_MAX   101u
#define LOOKUPS      1000000u
#define CHECK_ROUNDS 1u
#define NAME_BYTES   32u

static double cpu_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static size_t resident_bytes(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    unsigned long total;
    unsigned long resident;
    char line[128];
    char *end;

    if (!f || !fgets(line, sizeof(line), f)) {
        perror("/proc/self/statm");
        exit(70);
    }
    (void)fclose(f);
    total = strtoul(line, &end, 10);
    resident = strtoul(end, NULL, 10);
    return total ? resident * (size_t)sysconf(_SC_PAGESIZE) : 0;
}

/* The i-th partner's domain: 14 to 26 bytes and a NUL, no two alike. */
static int put_name(char *out, uint32_t i)
{
    static const char *const towns[] = {"bern", "lisboa", "warszawa", "kobenhavn", "roma", "riga",
                                        "dublin", "luxembourg"};

    return snprintf(out, NAME_BYTES - 1, "p%u.%s.example", i * 2654435761u, towns[i % 8]);
}

static struct slice make_config(uint32_t count)
{
    static const char head[] =
        "{\"node\":{\"name\":\"edge.corp.example\"},"
        "\"listen\":{\"component\":[\"127.0.0.1:5347\"]},"
        "\"tls\":{\"certificate\":\"c\",\"key\":\"k\"},"
        "\"domains\":[{\"name\":\"corp.example\",\"next_hop\":\"app\"}],"
        "\"next_hops\":{\"app\":{\"kind\":\"component\",\"secret\":\"sesame, open\"}},"
        "\"access\":{\"global\":{\"xmpp\":true}},\"partners\":[";
    char *text = pool_heap_zalloc(sizeof(head) + (size_t)count * (NAME_BYTES + 16) + 2);
    char *at = mempcpy(text, head, sizeof(head) - 1);

    for (uint32_t i = 0; i < count; i++) {
        at = mempcpy(at, ",{\"domain\":\"" + (i == 0), 12 - (i == 0));
        at += put_name(at, i);
        at = mempcpy(at, "\"}\n", 3);
    }
    at = mempcpy(at, "]}", 2);
    return slice_make(text, (size_t)(at - text));
}

struct figures {
    double load_s;
    double free_s;
    double resident; /* bytes per partner, beyond the text */
    double pair_ns;
    double decide_ns;
    double lookup_ns;
    double map_ns;
};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median_of(const struct figures *all, uint32_t rounds, size_t offset)
{
    double values[ROUNDS_MAX];

    for (uint32_t i = 0; i < rounds; i++) {
        memcpy(&values[i], (const char *)&all[i] + offset, sizeof(double));
    }
    qsort(values, rounds, sizeof(double), by_value);
    return values[rounds / 2];
}

static struct slice asked(const char *names, uint32_t i)
{
    const char *at = names + (size_t)i * NAME_BYTES;

    return slice_make(at + 1, (size_t)at[0]);
}

/* LOOKUPS names in random order, each behind its length. */
static char *make_questions(uint32_t count)
{
    char *names = pool_heap_zalloc((size_t)LOOKUPS * NAME_BYTES);
    uint64_t seed = 88172645463325252u;

    for (uint32_t i = 0; i < LOOKUPS; i++) {
        char *at = names + (size_t)i * NAME_BYTES;

        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        at[0] = (char)put_name(at + 1, (uint32_t)(seed % count));
    }
    return names;
}

static void must(bool holds)
{
    if (!holds) {
        (void)fputs("partners_bench: a partner was not found\n", stderr);
        exit(70);
    }
}

static void time_lookups(const struct snapshot *s, const struct map *map, const char *names,
                         struct figures *out)
{
    struct policy_question q = {.local_user = SLICE_LIT("ann"),
                                .local_domain = SLICE_LIT("corp.example"),
                                .remote_user = SLICE_LIT("bob"),
                                .direction = POLICY_TO_PARTNER,
                                .act = POLICY_ACT_MESSAGE};
    double start = cpu_s();
    double end;

    for (uint32_t i = 0; i < LOOKUPS; i++) {
        must(snapshot_partner(s, asked(names, i)) != NULL);
    }
    end = cpu_s();
    out->lookup_ns = (end - start) * 1e9 / LOOKUPS;
    start = end;
    for (uint32_t i = 0; i < LOOKUPS; i++) {
        must(map_get(map, asked(names, i)) != NULL);
    }
    end = cpu_s();
    out->map_ns = (end - start) * 1e9 / LOOKUPS;
    start = end;
    for (uint32_t i = 0; i < LOOKUPS; i++) {
        must(policy_pair(s, SLICE_LIT("corp.example"), asked(names, i)).allowed);
    }
    end = cpu_s();
    out->pair_ns = (end - start) * 1e9 / LOOKUPS;
    start = end;
    for (uint32_t i = 0; i < LOOKUPS; i++) {
        q.remote_domain = asked(names, i);
        must(policy_decide(s, &q).allowed);
    }
    out->decide_ns = (cpu_s() - start) * 1e9 / LOOKUPS;
}

static void run_round(struct slice text, const char *names, struct figures *out)
{
    struct config_report report = {0};
    struct snapshot *s;
    struct map map = {0};
    size_t before = resident_bytes();
    double start = cpu_s();

    if (config_load(&s, "bench.conf", text, &report) != 0) {
        struct buf why;

        buf_init(&why, POOL_BLOCK_BYTES_MAX);
        config_report_write(&report, &why);
        (void)fprintf(stderr, "%.*s", SLICE_FMT(buf_slice(&why)));
        exit(70);
    }
    out->load_s = cpu_s() - start;
    out->resident = ((double)resident_bytes() - (double)before) / s->partner_count;
    config_report_deinit(&report);
    for (uint32_t i = 0; i < s->partner_count; i++) {
        (void)map_add(&map, s->partners[i].domain, (void *)(uintptr_t)&s->partners[i]);
    }
    time_lookups(s, &map, names, out);
    map_deinit(&map);
    start = cpu_s();
    snapshot_free(s);
    out->free_s = cpu_s() - start;
}

struct line {
    const char *what;
    const char *unit;
    const char *name; /* in JSON */
    size_t offset; /* in struct figures */
    double scale;
};

static const struct line lines[] = {
    {"load: text to snapshot, CPU", "ms", "load", offsetof(struct figures, load_s), 1e3},
    {"free, CPU", "ms", "free", offsetof(struct figures, free_s), 1e3},
    {"resident per partner, beyond the text", "bytes", "resident per partner",
     offsetof(struct figures, resident), 1},
    {"lookup: snapshot_partner", "ns", "snapshot_partner", offsetof(struct figures, lookup_ns), 1},
    {"lookup: base/map over the same names", "ns", "base/map",
     offsetof(struct figures, map_ns), 1},
    {"verdict on a pair: policy_pair", "ns", "policy_pair", offsetof(struct figures, pair_ns), 1},
    {"verdict on a stanza: policy_decide", "ns", "policy_decide",
     offsetof(struct figures, decide_ns), 1},
};

static void print(const struct figures *all, uint32_t count, uint32_t rounds, size_t text_bytes)
{
    (void)printf("%u partners, %.1f MB of text, %u rounds, medians\n", count,
                 (double)text_bytes / 1e6, rounds);
    for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
        (void)printf("%-40s %9.1f %s\n", lines[i].what,
                     median_of(all, rounds, lines[i].offset) * lines[i].scale, lines[i].unit);
    }
}

/* As the rows of race.h, where a figure is one of ns. */
static void print_json(const struct figures *all, uint32_t count, uint32_t rounds)
{
    for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
        (void)printf("{\"bench\": \"partners_bench\", \"name\": \"%s, %u partners\", "
                     "\"unit\": \"%s\", \"value\": %.1f, \"of\": \"%s\", \"rounds\": %u}\n",
                     lines[i].name, count, lines[i].unit[0] == 'n' ? "lookup" : "configuration",
                     median_of(all, rounds, lines[i].offset) * lines[i].scale, lines[i].unit,
                     rounds);
    }
}

int main(int argc, char **argv)
{
    const char *last = argc > 1 ? argv[argc - 1] : "";
    bool is_json = strcmp(last, "--json") == 0;
    bool is_check = strcmp(last, "--check") == 0;

    argc -= is_json || is_check;
    uint32_t count = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : PARTNERS;
    uint32_t rounds = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : ROUNDS;
    static struct figures all[ROUNDS_MAX];
    struct slice text;
    char *names;

    rounds = is_check ? CHECK_ROUNDS : rounds;
    if (count == 0 || rounds == 0 || rounds > ROUNDS_MAX) {
        (void)fputs("usage: partners_bench [PARTNERS] [ROUNDS] [--json | --check]\n", stderr);
        return 64;
    }
    text = make_config(count);
    if (text.len > CONFIG_FILE_BYTES_MAX) {
        (void)fputs("partners_bench: the configuration is larger than it may be\n", stderr);
        return 64;
    }
    names = make_questions(count);
    for (uint32_t i = 0; i < rounds; i++) {
        run_round(text, names, &all[i]);
    }
    if (is_json) {
        print_json(all, count, rounds);
    } else if (is_check) {
        (void)puts("partners_bench: checked");
    } else {
        print(all, count, rounds, text.len);
    }
    pool_heap_free(names);
    pool_heap_free((void *)(uintptr_t)text.ptr);
    return 0;
}
