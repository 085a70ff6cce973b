/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sip_bench: the other libraries' parsers, each in a file of its own: their names and ours collide.
 * Each parses one message whole, looks at what it found, and gives its memory back: true = all
 * values were there. */
#ifndef FG_BENCH_SIP_BENCH_H
#define FG_BENCH_SIP_BENCH_H

#include <stdbool.h>
#include <stddef.h>

/* What is in the message. */
#define SIP_BENCH_VIAS     3u
#define SIP_BENCH_FORWARDS 68u

void sip_bench_osip_init(void);
bool sip_bench_osip(const char *bytes, size_t len);

/* libre reads from a buffer of its own: filled once, outside of what is measured. */
struct sip_bench_peer;
struct sip_bench_peer *sip_bench_libre_new(const char *bytes, size_t len);
bool sip_bench_libre(struct sip_bench_peer *peer);
void sip_bench_libre_free(struct sip_bench_peer *peer);

#endif
