/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record_bench [ROUNDS] [NAME] [--check]: see bench.h. Rounds of all contestants alternate; the
 * median of each is printed with its spread, and the median of the ratios to OpenSSL within a
 * round. One JSON object a line. NAME: this contestant alone, for a profile. --check: one round, no
 * figures. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/attr.h"
#include "bench.h"
#include "tls/aead.h"
#include "tls/tls.h"

#define ROUNDS_MAX 201u
/* Of CPU time per contestant, size and round, about. */
#define SLICE_NS 4e6

static const struct contestant *const field[] = {
    &bench_openssl_window, /* the one the others are compared with */
    &bench_openssl_memory, &bench_openssl_cipher, &bench_wolfssl,
    &bench_ours_wolfcrypt, &bench_ours_mbedcrypto,
};
static const size_t sizes[] = {251, 1024, 16384};

struct cell {
    uint64_t turns; /* records per round */
    double ns[ROUNDS_MAX];
    double ratio[ROUNDS_MAX];
};

static char text[BENCH_TEXT_MAX];
static struct cell cells[ARRAY_COUNT(field)][ARRAY_COUNT(sizes)];
static struct bench_pair *pairs[ARRAY_COUNT(field)];

void bench_die(const char *what)
{
    (void)fprintf(stderr, "record_bench: %s\n", what);
    exit(70);
}

bool window_put(struct window *w, const void *bytes, size_t len)
{
    if (w->head == w->tail) {
        w->head = w->tail = 0;
    }
    if (len > sizeof(w->bytes) - w->tail) {
        return false;
    }
    memcpy(w->bytes + w->tail, bytes, len);
    w->tail += len;
    return true;
}

size_t window_take(struct window *w, void *to, size_t room)
{
    size_t len = w->tail - w->head < room ? w->tail - w->head : room;
    memcpy(to, w->bytes + w->head, len);
    w->head += len;
    return len;
}

/* CPU time: a neighbour on the machine must not decide the comparison. */
static double now_ns(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* only NULL: all. False when there is none of this name. */
static bool make_pairs(const char *only)
{
    bool has_one = false;
    for (size_t who = 0; who < ARRAY_COUNT(field); who++) {
        if (!only || slice_eq_cstr(slice_from_cstr(only), field[who]->name)) {
            pairs[who] = field[who]->make();
            has_one = true;
        }
    }
    return has_one;
}

/* Nanoseconds per record. */
static double run(size_t who, size_t size, uint64_t turns)
{
    struct slice sent = slice_make(text, size);
    double start = now_ns();
    for (uint64_t i = 0; i < turns; i++) {
        struct slice got = field[who]->pass(pairs[who], sent);
        if (got.len != size || got.ptr[0] != text[0] || got.ptr[size - 1] != text[size - 1]) {
            bench_die(field[who]->name);
        }
    }
    double ns = (now_ns() - start) / (double)turns;
    if (!slice_eq(field[who]->pass(pairs[who], sent), sent)) {
        bench_die(field[who]->name);
    }
    return ns;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts and returns the middle. */
static double median(double *values, size_t count)
{
    qsort(values, count, sizeof(values[0]), by_value);
    return values[count / 2];
}

static void print(size_t who, size_t size_idx, size_t rounds)
{
    struct cell *c = &cells[who][size_idx];
    double ns = median(c->ns, rounds);
    (void)printf("{\"bench\": \"record_bench\", \"bytes\": %zu, \"name\": \"%s, %zu bytes\", "
                 "\"unit\": \"record\", \"ns\": %.1f, \"least\": %.1f, \"most\": %.1f",
                 sizes[size_idx], field[who]->name, sizes[size_idx], ns, c->ns[0],
                 c->ns[rounds - 1]);
    if (cells[0][size_idx].turns > 0) {
        (void)printf(", \"against\": \"%s\", \"ratio\": %.2f", field[0]->name,
                     median(c->ratio, rounds));
    }
    (void)printf("}\n");
}

static void print_libraries(size_t rounds)
{
    const struct tls_backend *wolfssl = tls_backend_find("wolfssl");
    const struct tls_backend *mbedtls = tls_backend_find("mbedtls");
    (void)printf("{\"rounds\": %zu, \"libraries\": [\"%s\", \"%s\", \"%s\"], "
                 "\"wolfcrypt_has_fast_aes\": %s, \"mbedcrypto_has_fast_aes\": %s}\n",
                 rounds, bench_openssl_version(), tls_backend_version(wolfssl),
                 tls_backend_version(mbedtls),
                 tls_aead_wolfcrypt.is_accelerated(TLS_CIPHER_AES_128_GCM) ? "true" : "false",
                 tls_aead_mbedcrypto.is_accelerated(TLS_CIPHER_AES_128_GCM) ? "true" : "false");
}

int main(int argc, char **argv)
{
    uint64_t rounds = 31;
    bool is_check = argc > 1 && strcmp(argv[argc - 1], "--check") == 0;
    argc -= is_check || (argc > 1 && strcmp(argv[argc - 1], "--json") == 0); /* always */
    const char *only = argc > 2 ? argv[2] : NULL;
    if (argc > 3 || (argc > 1 && (!slice_parse_u64(slice_from_cstr(argv[1]), &rounds) ||
                                  rounds == 0 || rounds > ROUNDS_MAX))) {
        (void)fprintf(stderr, "usage: record_bench [ROUNDS up to %u] [NAME] [--check]\n",
                      ROUNDS_MAX);
        return 64;
    }
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = (char)(i * 7 + i / 256);
    }
    if (!make_pairs(only)) {
        (void)fprintf(stderr, "record_bench: no contestant is called %s\n", only);
        return 64;
    }
    if (is_check) {
        rounds = 1;
    } else {
        print_libraries((size_t)rounds);
    }
    for (size_t who = 0; who < ARRAY_COUNT(field); who++) {
        for (size_t i = 0; pairs[who] && i < ARRAY_COUNT(sizes); i++) { /* warm; turns of a round */
            (void)run(who, sizes[i], 200);
            cells[who][i].turns = (uint64_t)(SLICE_NS / run(who, sizes[i], 200)) + 1;
        }
    }
    for (size_t round = 0; round < rounds; round++) {
        for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
            for (size_t who = 0; who < ARRAY_COUNT(field); who++) {
                struct cell *c = &cells[who][i];
                if (pairs[who]) {
                    c->ns[round] = run(who, sizes[i], c->turns);
                    c->ratio[round] = cells[0][i].ns[round] / c->ns[round];
                }
            }
        }
    }
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        for (size_t who = 0; who < ARRAY_COUNT(field); who++) {
            if (pairs[who] && !is_check) {
                print(who, i, (size_t)rounds);
            }
        }
    }
    for (size_t who = 0; who < ARRAY_COUNT(field); who++) {
        if (pairs[who]) {
            field[who]->drop(pairs[who]);
        }
    }
    return 0;
}
