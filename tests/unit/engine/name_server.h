/* SPDX-License-Identifier: GPL-2.0-or-later */
/* name_server: a DNS server on 127.0.0.1 with a thread of its own, answering from a table: what it
 * says, whether it says it, and how often it was asked. Records without a row are NXDOMAIN. */
#ifndef FG_TEST_ENGINE_NAME_SERVER_H
#define FG_TEST_ENGINE_NAME_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum zone_how {
    ZONE_ANSWER,
    ZONE_NODATA,
    ZONE_SERVFAIL,
    ZONE_SILENT,  /* no answer at all */
    ZONE_GARBAGE, /* a header that promises records which are not there */
};

/* One record, or the way of failing for a name and type. */
struct zone_row {
    const char *name;
    uint16_t type; /* 1 A, 5 CNAME, 28 AAAA, 33 SRV */
    enum zone_how how;
    const char *data; /* address, or target name ("" = root) */
    uint16_t priority, weight, port;
    uint32_t ttl_s; /* 0 = 300 */
    uint32_t delay_ms;
};

#define ZONE_ROWS_MAX 64u

struct name_server {
    const struct zone_row *rows; /* ends with name NULL */
    int fd;
    uint16_t port;
    char address[32]; /* "127.0.0.1:port" */
    pthread_t thread;
    _Atomic bool stop;
    _Atomic uint32_t asked;
    _Atomic uint32_t asked_row[ZONE_ROWS_MAX]; /* by index of the first row of the name and type */
};

void name_server_start(struct name_server *ns, const struct zone_row *rows);
void name_server_stop(struct name_server *ns);

#endif
