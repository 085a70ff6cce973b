/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report: what a run tells people and drivers. */
#include "load/report.h"

#include <stdio.h>
#include <unistd.h>

#include "base/pool.h"
#include "load/apart.h"

#define TELL_NS 1000000000u
#define RESULT_BYTES_MAX 16384u
#define NUMBER_BYTES 64u

static const double ns = 1e-9;
static const double us_per_ns = 1e-3;

bool report_is_clean(const struct report_figures *f)
{
    return f->damaged == 0 && f->unanswered == 0 && f->unended == 0 && f->books.duplicated == 0 &&
           f->books.out_of_order == 0 && f->books.refused == 0 &&
           f->books.arrived + f->books.overtaken == f->books.sent;
}

static bool has_trouble(const struct report_figures *f)
{
    return f->damaged + f->books.duplicated + f->books.out_of_order + f->books.refused > 0;
}

void report_progress(struct report_progress *p, const char *phase, uint64_t now_ns,
                     const struct report_figures *f)
{
    bool is_terminal;
    double seconds;

    if (now_ns - (p->told_ns ? p->told_ns : p->began_ns) < TELL_NS) {
        return;
    }
    is_terminal = isatty(STDERR_FILENO) == 1;
    seconds = (double)(now_ns - (p->told_ns ? p->told_ns : p->began_ns)) * ns;
    (void)fprintf(stderr,
                  "%s%.0f s  %s  streams %llu+%llu  sent %llu  arrived %llu  %.0f/s  in flight "
                  "%llu  trouble %s%s",
                  is_terminal ? "\r\033[K" : "", (double)(now_ns - p->began_ns) * ns, phase,
                  (unsigned long long)f->opened, (unsigned long long)f->accepted,
                  (unsigned long long)f->books.sent, (unsigned long long)f->books.arrived,
                  (double)(f->books.arrived - p->told_arrived) / seconds,
                  (unsigned long long)(f->books.sent - f->books.arrived - f->books.refused -
                                       f->books.overtaken),
                  has_trouble(f) ? "YES" : "none", is_terminal ? "" : "\n");
    p->is_open = is_terminal;
    p->told_ns = now_ns;
    p->told_arrived = f->books.arrived;
}

void report_progress_end(struct report_progress *p)
{
    if (p->is_open) {
        (void)fputc('\n', stderr);
        p->is_open = false;
    }
}

static void put_number(struct jout *out, const char *key, double value)
{
    char text[NUMBER_BYTES];
    int len = snprintf(text, sizeof(text), "%.6f", value);

    jout_raw(out, key, slice_make(text, (size_t)len));
}

static void put_plan(struct jout *out, const struct plan *plan)
{
    jout_cstr(out, "source", plan->kind_name[SIDE_SOURCE]);
    jout_cstr(out, "sink", plan->kind_name[SIDE_SINK]);
    jout_cstr(out, "workload", plan->workload);
    jout_u64(out, "streams", plan->streams);
    jout_u64(out, "domains", plan->domains);
    jout_u64(out, "stanza_bytes", plan->stanza_bytes);
}

/* Of what the server did while the tool held still. */
static void put_apart(struct jout *out, const struct apart *a, uint64_t delivered)
{
    const struct apart_sum *s = &a->served;
    const struct apart_sum *e = &a->empty;
    double count = delivered > 0 ? (double)delivered : 1;
    double empty = e->rounds > 0 ? (double)e->rounds : 1;

    jout_object(out, "apart");
    jout_u64(out, "rounds", s->rounds);
    jout_u64(out, "looks", s->looks);
    put_number(out, "server_s", (double)s->ns * ns);
    put_number(out, "server_cpu_s", (double)s->cpu_ns * ns);
    put_number(out, "rate", s->ns > 0 ? (double)delivered / ((double)s->ns * ns) : 0);
    put_number(out, "cpu_us", (double)s->cpu_ns * us_per_ns / count);
    put_number(out, "empty_us", (double)e->ns * us_per_ns / empty);
    put_number(out, "empty_cpu_us", (double)e->cpu_ns * us_per_ns / empty);
    jout_end(out);
}

/* What only presence has. */
static void put_presence(struct jout *out, const struct plan *plan, const struct report_figures *f)
{
    put_number(out, "gap", plan->gap_s);
    jout_u64(out, "overtaken", f->books.overtaken);
    jout_u64(out, "watched", f->watched);
    jout_u64(out, "refreshes", f->refreshes);
    jout_u64(out, "unended", f->unended);
}

static void put_out(struct buf *text)
{
    (void)fwrite(buf_slice(text).ptr, 1, buf_len(text), stdout);
    (void)fflush(stdout);
    buf_deinit(text);
}

void report_result(const struct plan *plan, const struct report_result *r)
{
    const struct books_counts *b = &r->figures.books;
    struct histogram *corrected = pool_heap_zalloc(sizeof(*corrected));
    struct jout out;
    struct buf text;

    buf_init(&text, RESULT_BYTES_MAX);
    jout_init(&out, &text, false);
    jout_object(&out, NULL);
    put_plan(&out, plan);
    jout_u64(&out, "delivered", r->delivered);
    jout_u64(&out, "lost", b->sent - b->arrived - b->refused - b->overtaken);
    jout_u64(&out, "duplicated", b->duplicated);
    jout_u64(&out, "out_of_order", b->out_of_order);
    jout_u64(&out, "damaged", r->figures.damaged);
    jout_u64(&out, "errors", b->refused);
    jout_u64(&out, "unanswered", r->figures.unanswered);
    jout_u64(&out, "other", r->figures.other);
    if (plan->is_presence) {
        put_presence(&out, plan, &r->figures);
    }
    put_number(&out, "seconds", r->seconds);
    put_number(&out, "rate", r->seconds > 0 ? (double)r->delivered / r->seconds : 0);
    put_number(&out, "own_cpu_s", r->own_cpu_s);
    jout_u64(&out, "during_hold", r->during_hold);
    jout_u64(&out, "streams_in", r->figures.accepted);
    jout_cstr(&out, "tls", r->tls);
    histogram_write(r->latency, &out, "latency");
    histogram_correct(corrected, r->latency, r->interval_ns);
    histogram_write(corrected, &out, "latency_corrected");
    if (r->lag->count > 0) {
        histogram_write(r->lag, &out, "own_lag");
    }
    if (r->apart) {
        put_apart(&out, r->apart, r->delivered);
    }
    jout_end(&out);
    put_out(&text);
    pool_heap_free(corrected);
}

void report_cycles(const struct plan *plan, const struct report_result *r)
{
    struct jout out;
    struct buf text;

    buf_init(&text, RESULT_BYTES_MAX);
    jout_init(&out, &text, false);
    jout_object(&out, NULL);
    jout_u64(&out, "streams", plan->cycles);
    jout_u64(&out, "cut", 0);
    put_number(&out, "seconds", r->seconds);
    put_number(&out, "own_cpu_s", r->own_cpu_s);
    jout_cstr(&out, "tls", r->tls);
    jout_end(&out);
    put_out(&text);
}
