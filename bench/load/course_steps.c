/* SPDX-License-Identifier: GPL-2.0-or-later */
/* course_steps: the steps of a run before the measured part. */
#include <string.h>

#include "load/course.h"
#include "load/crew.h"
#include "load/party.h"

/* --- set-up --- */

uint32_t course_lines(const struct course *c, enum side side)
{
    return c->plan->kind[side]->line_count(c->plan, side);
}

bool course_has_line_per_flow(const struct course *c)
{
    uint32_t lines = course_lines(c, SIDE_SOURCE);

    return lines > 1 && lines == c->plan->streams;
}

bool course_open_lines(struct course *c, enum side side, uint32_t from, uint32_t until)
{
    uint64_t wanted = course_read(&c->run->opened[side]) + (until - from);

    course_begin(c, "opening");
    crew_command(c->run,
                 &(struct crew_command){
                     .act = crew_open, .side = side, .opening = {.next = from, .until = until}},
                 NULL);
    while (course_read(&c->run->opened[side]) < wanted) {
        if (!course_look(c)) {
            return course_broken(
                c, "%llu of %llu connections are ready, then nothing moved for %.0f s",
                (unsigned long long)course_read(&c->run->opened[side]), (unsigned long long)wanted,
                c->plan->stall_s);
        }
    }
    return true;
}

/* The component first: some servers know its domain only then. */
bool course_open_sides(struct course *c)
{
    bool source_first = strcmp(c->plan->kind_name[SIDE_SOURCE], "component") == 0;
    enum side first = source_first ? SIDE_SOURCE : SIDE_SINK;
    enum side second = source_first ? SIDE_SINK : SIDE_SOURCE;
    bool is_many = course_has_line_per_flow(c);

    if (!course_open_lines(c, first, 0, course_lines(c, first))) {
        return false;
    }
    /* Lines of the source are opened with their flows. */
    return (second == SIDE_SOURCE && is_many) ||
           course_open_lines(c, second, 0, course_lines(c, second));
}

/* --- subscriptions --- */

bool course_watch(struct course *c, uint32_t from, uint32_t until)
{
    if (!c->plan->is_presence) {
        return true;
    }
    course_begin(c, "subscribing");
    crew_command(
        c->run,
        &(struct crew_command){.act = crew_watch, .watching = {.next = from, .until = until}},
        NULL);
    while (course_read(&c->run->watched) < until) {
        if (!course_look(c)) {
            return course_broken(c, "%llu of %u subscriptions work, then nothing moved for %.0f s",
                                 (unsigned long long)course_read(&c->run->watched), (unsigned)until,
                                 c->plan->stall_s);
        }
    }
    return true;
}

void course_unwatch(struct course *c)
{
    uint32_t flows = (uint32_t)c->plan->streams;

    if (!c->plan->is_presence) {
        return;
    }
    course_begin(c, "ending");
    crew_command(
        c->run,
        &(struct crew_command){.act = crew_watch, .watching = {.until = flows, .is_end = true}},
        NULL);
    /* The last NOTIFY's response may come behind what it brought about. */
    while ((course_read(&c->run->unwatched) < flows ||
            course_read(&c->run->answered) != course_read(&c->run->asked)) &&
           course_look(c)) {
    }
}

/* --- stanzas --- */

struct schedule_params course_params(const struct plan *plan, bool is_warm_up)
{
    uint64_t per_flow = plan->window / plan->streams;
    uint64_t batch = PLAN_WRITE_BYTES / plan->stanza_bytes;

    return (struct schedule_params){
        .kind = is_warm_up ? SCHEDULE_FAN : plan->schedule,
        .batch = batch > 0 ? (uint32_t)batch : 1,
        .window = is_warm_up || per_flow == 0 ? 1 : (uint32_t)per_flow,
        .rate = plan->rate,
        .rest_ns =
            is_warm_up || plan->schedule != SCHEDULE_FAN ? 0 : (uint64_t)(plan->gap_s / COURSE_NS),
    };
}

/* A shard has the flows whose line is there: all, where there is one line only. */
static void share_out(struct run *run, uint32_t shard, struct crew_command *own)
{
    uint32_t shards = (uint32_t)run->plan->shards;
    uint32_t lines = run->plan->kind[SIDE_SOURCE]->line_count(run->plan, SIDE_SOURCE);
    bool is_one = lines == 1 || own->schedule.kind == SCHEDULE_ONE;
    uint32_t flows = own->until - own->from;
    uint64_t rest = own->quota % flows; /* one more for each of the first flows */
    uint64_t quota = 0;
    uint32_t here = 0;

    own->schedule.flow_first = lines == 1 ? 0 : shard;
    own->schedule.flow_step = lines == 1 ? 1 : shards;
    for (uint32_t i = own->from; i < own->until; i++) {
        if (lines == 1 ? shard == 0 : i % shards == shard) {
            quota += own->quota / flows + (i - own->from < rest);
            here++;
        }
    }
    if (is_one) {
        own->quota = shard == 0 ? own->quota : 0;
        return;
    }
    own->schedule.rate = own->schedule.rate * here / flows;
    own->quota = quota;
}

void course_send(struct course *c, const struct schedule_params *params, uint64_t quota,
                 uint32_t from, uint32_t until)
{
    /* First all, then one after the other: what one sends may at once arrive on another. */
    crew_command(c->run, &(struct crew_command){.act = crew_forget}, NULL);
    c->wanted += quota;
    crew_command(
        c->run,
        &(struct crew_command){
            .act = crew_begin, .schedule = *params, .quota = quota, .from = from, .until = until},
        share_out);
}

bool course_is_settled(const struct course *c)
{
    struct books_counts b = books_count(c->run->books);

    return b.arrived + b.refused + b.overtaken >= c->wanted &&
           course_read(&c->run->answered) == course_read(&c->run->asked);
}

bool course_warm_up(struct course *c, uint32_t from, uint32_t until)
{
    const struct schedule_params params = course_params(c->plan, true);
    struct books_counts b;

    /* A state may wait for a notifier's interval: not one batch after the other. */
    uint32_t batch = c->plan->is_presence ? until - from : (uint32_t)c->plan->parallel;

    for (uint32_t done = from; done < until; done += batch) {
        uint32_t left = until - done;
        uint32_t flows = left < batch ? left : batch;

        course_begin(c, "first stanzas");
        course_send(c, &params, flows, done, done + flows);
        while (!course_is_settled(c)) {
            if (!course_look(c)) {
                b = books_count(c->run->books);
                return course_broken(c,
                                     "%llu of %llu first stanzas arrived, %llu came back as errors",
                                     (unsigned long long)b.arrived, (unsigned long long)c->wanted,
                                     (unsigned long long)b.refused);
            }
        }
    }
    b = books_count(c->run->books);
    if (b.refused > 0) {
        return course_broken(c, "first stanzas came back as errors");
    }
    /* So that the measured part begins in no such interval. */
    return course_rest(c, c->plan->gap_s);
}
