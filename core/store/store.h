/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store: what must outlive the process: contacts (authorisation, dialogs, last document), the pairs
 * that opened the way to users of ours, facts about the node. The shards' memory is the cache: the
 * store is read once, at start, and written from then on. A database in one file for now; another
 * kind comes behind this header.
 * Order of life: store_open, store_load, store_start, store_write ..., store_stop, store_free.
 * Threads: open, load, start, stop, free: the control thread. store_write(shard_idx): one thread
 *   per shard_idx, never waits; allowed from store_load on. store_done_fn: on the store's own
 *   thread. health, stats: any thread.
 * Slices handed out are valid during the call they come with; slices handed in are copied.
 * Promise: an item acknowledged with 0 is on the disk (fsync) and is loaded at the next start; one
 * acknowledged with an error is not, and never will be, unless it is written again. */
#ifndef FG_STORE_STORE_H
#define FG_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/slice.h"

struct log_ring;
struct store;
struct store_backend;

/* Bounds of one item; what exceeds them is refused by store_write (ERR_LIMIT). Domains must not be
 * empty; addresses hold no NUL (ERR_BAD_INPUT). */
#define STORE_ADDRESS_BYTES_MAX  1023u /* user, domain (RFC 7622 3.1) */
#define STORE_DIALOGS_BYTES_MAX  ((size_t)128 << 10)
#define STORE_DOCUMENT_BYTES_MAX ((size_t)128 << 10)
#define STORE_FACT_BYTES_MAX     1023u /* name, value */
#define STORE_REACH_ROWS_MAX     400000u /* beyond it the oldest go, those without flags first */
#define STORE_SHARDS_MAX         64u

/* Bare addresses: users normalised, domains A-labels. A user may be empty. */
struct store_pair {
    struct slice local_user;
    struct slice local_domain;
    struct slice remote_user;
    struct slice remote_domain;
};

/* Numbers are written to the disk: they keep their meaning for ever. */
enum store_direction {
    STORE_IN,  /* the partner's user watches ours */
    STORE_OUT, /* a user of ours watches the partner's */
    STORE_DIRECTION_COUNT
};
enum store_state {
    STORE_STATE_NONE,
    STORE_STATE_ASKED,
    STORE_STATE_GRANTED,
    STORE_STATE_DENIED,
    STORE_STATE_BLOCKED,
    STORE_STATE_COUNT
};
enum store_asker { STORE_BY_PARTNER, STORE_BY_LOCAL, STORE_BY_ADMIN, STORE_ASKER_COUNT };

/* Key: pair and direction. */
struct store_contact {
    struct store_pair pair;
    enum store_direction direction;
    enum store_state state;
    enum store_asker asked_by;
    int64_t asked_unix_s;   /* 0 = never */
    int64_t changed_unix_s; /* of the state */
    bool keep_dialogs;      /* writing: the stored ones stay (none, when the row is new) */
    bool keep_document;
    struct slice dialogs;  /* opaque */
    struct slice document; /* opaque */
};

/* What opened the way for a partner's user of type public_unverified (edge/reach.h). Key: pair. */
enum store_reach_flag {
    STORE_REACH_ADDED = 1,
    STORE_REACH_CONSENTED = 2,
};
struct store_reach {
    struct store_pair pair;
    uint32_t flags;       /* of enum store_reach_flag */
    int64_t wrote_unix_s; /* when ours wrote last; 0 = never */
};

/* Names that begin with "store." are the store's own. */
struct store_fact {
    struct slice name;
    struct slice value;
};

/* --- start ------------------------------------------------------------------------------------ */

/* The items with tickets first..last of this shard are all durable (err 0), or all refused for
 * good: ERR_STORE_ITEM (this row is not acceptable), another code of this room or -errno (the
 * database could not be written at that time: the same item may be written again later). Ranges
 * come in the order of tickets, without gaps; several may follow one commit. On the store's thread,
 * which waits for it: it must be short. False: not now (a full mailbox): the same range comes again
 * in some milliseconds; until then nothing more of this shard is committed. */
struct store_done {
    uint64_t first;
    uint64_t last;
    int err;
};
typedef bool store_done_fn(uint32_t shard_idx, const struct store_done *done, void *ctx);

struct store_params {
    /* Path of the database, absolute or relative to the working directory (snapshot.store_target);
     * made with mode 0600 when there is none, its folder must exist. Borrowed for the call. */
    const char *target;
    uint32_t shard_count;
    uint32_t lazy_ms;     /* what is not urgent waits at most so long; 0 = STORE_LAZY_MS */
    uint32_t queue_bytes; /* bound of each shard's queue; 0 = STORE_QUEUE_BYTES */
    uint32_t reach_rows_max; /* 0 = STORE_REACH_ROWS_MAX */
    store_done_fn *done;
    void *done_ctx; /* borrowed until store_stop returns */
    const struct store_backend *backend; /* NULL = by the target; others: tests */
};
#define STORE_LAZY_MS     1000u
#define STORE_QUEUE_BYTES ((uint32_t)4 << 20) /* rounded up to a power of two, 2 MiB or more */

/* Whether store_open would refuse the target for a reason that stands beside who else is using it:
 * folder, file, permissions, beginning of the file. Changes nothing. For a process that has no
 * store open. Errors as of store_open; why: one line for people. */
NODISCARD int store_look(const char *target, char *why, size_t why_bytes);

/* Opens or makes the database, alone: until store_free no other process can use it. It is checked;
 * older layouts are brought up to date. On failure why gets one line
 * for people that names the path, what is wrong and what to do: ERR_STORE_LOCKED,
 * ERR_STORE_DAMAGED, ERR_STORE_VERSION, ERR_STORE_OPEN, ERR_STORE_SPACE, ERR_UNSUPPORTED
 * (postgresql://). Blocks. */
NODISCARD int store_open(struct store **out, const struct store_params *params, char *why,
                         size_t why_bytes);

/* Each returns 0, or an error that ends the loading with it. NULL: not wanted. */
struct store_reader {
    int (*contact)(void *ctx, const struct store_contact *row);
    int (*reach)(void *ctx, const struct store_reach *row);
    int (*fact)(void *ctx, const struct store_fact *row);
    void *ctx;
};
struct store_load_report {
    uint64_t contacts;
    uint64_t reach;
    uint64_t facts;
    uint64_t damaged; /* left out (of a contact perhaps dialogs or document only): logged, and kept
                         aside in table "damaged" */
};
/* Everything, once, before store_start. Blocks: 100,000 contacts take some 0.3 s. */
NODISCARD int store_load(struct store *s, const struct store_reader *reader,
                         struct store_load_report *report, char *why, size_t why_bytes);

/* Starts the store's thread; items written before wait for it. */
NODISCARD int store_start(struct store *s, char *why, size_t why_bytes);

/* --- writing ---------------------------------------------------------------------------------- */

enum store_what {
    STORE_PUT_CONTACT, /* whole row: added or replaced, but for keep_* */
    STORE_DROP_CONTACT, /* pair and direction; no such row: done */
    STORE_PUT_REACH,
    STORE_DROP_REACH,
    STORE_PUT_FACT,
    STORE_DROP_FACT,
    STORE_WHAT_COUNT
};
struct store_item {
    enum store_what what;
    bool is_urgent; /* somebody waits: committed at once, with all that is queued before it */
    union {
        struct store_contact contact;
        struct store_reach reach;
        struct store_fact fact;
    };
};
/* Copies the item into the shard's queue. *ticket: 1, 2, 3 ... for each accepted item of the shard.
 * ERR_FULL: no room; then items are on their way, and each store_done of this shard makes some: try
 * again after the next. An item of any size fits once all before it are acknowledged. ERR_LIMIT,
 * ERR_BAD_INPUT: never acceptable. ERR_SHUTDOWN: store_stop was called. */
NODISCARD int store_write(struct store *s, uint32_t shard_idx, const struct store_item *item,
                          uint64_t *ticket);

/* --- state ------------------------------------------------------------------------------------ */

/* Writing fails since ...; ends with the first commit that succeeds. Each batch is tried anew.
 * ERR_TIMEOUT: a commit takes longer than 10 s; it may still come to an end, either way. */
struct store_health {
    int err;                /* 0 = good; else why, as in store_done */
    int64_t failing_unix_s; /* since; 0 = good */
    char text[512];         /* for people: what, which file, what to do; "" = good */
};
bool store_is_failing(const struct store *s);
void store_health_read(const struct store *s, struct store_health *out);

#define STORE_LATENCY_BUCKETS 20u /* commits that took < 64 us, < 128 us ... < 16.8 s, longer */
struct store_stats {
    uint64_t queue_items; /* gauges: written and not yet acknowledged, all shards */
    uint64_t queue_bytes;
    uint64_t queue_full;  /* store_write said ERR_FULL */
    uint64_t commits;
    uint64_t rows;         /* committed */
    uint64_t failures;     /* commits that failed */
    uint64_t rows_refused; /* with them, and by themselves */
    uint64_t batch_rows_last;
    uint64_t batch_rows_max;
    uint64_t commit_us_last; /* from the first row to durable */
    uint64_t commit_us_max;
    uint64_t commit_us_sum; /* / commits = mean */
    uint64_t commit_buckets[STORE_LATENCY_BUCKETS];
    uint64_t checkpoints;
    uint64_t checkpoint_us_max;
    uint64_t file_bytes; /* gauge: the database with its log */
    bool was_lost; /* it was gone at this start, which made an empty one: logged as store_lost */
};
void store_stats_read(const struct store *s, struct store_stats *out);
/* Lines of the store's thread, to be drained by the control thread from store_open to store_free.
 * What open and load have to say goes to the caller's own ring. */
struct log_ring *store_log(struct store *s);

/* --- end -------------------------------------------------------------------------------------- */

/* Everything queued is committed and acknowledged, the log is folded into the database, which is
 * closed. store_done_fn is called for the last time before this returns; what it still refuses at
 * the end of the time is dropped (it is durable all the same). From its first moment store_write
 * says ERR_SHUTDOWN; an item that a shard is just writing may stay without an answer.
 * ERR_TIMEOUT: the disk hangs and so does the thread: leave the process. */
NODISCARD int store_stop(struct store *s, uint32_t timeout_ms);
/* After store_stop (or without store_start: closes), when no shard can write any more. After
 * ERR_TIMEOUT it frees nothing. NULL is accepted. */
void store_free(struct store *s);

#endif
