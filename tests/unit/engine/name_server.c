/* SPDX-License-Identifier: GPL-2.0-or-later */
/* name_server: a DNS server for tests. */
#include "name_server.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct packet {
    size_t len;
    unsigned char bytes[4096];
};

static void put(struct packet *p, const void *bytes, size_t len)
{
    cr_assert(p->len + len <= sizeof(p->bytes));
    memcpy(p->bytes + p->len, bytes, len);
    p->len += len;
}

static void put_u16(struct packet *p, unsigned v)
{
    put(p, (unsigned char[]){(unsigned char)(v >> 8), (unsigned char)v}, 2);
}

static void put_name(struct packet *p, const char *name)
{
    while (*name) {
        size_t len = strcspn(name, ".");
        put(p, (unsigned char[]){(unsigned char)len}, 1);
        put(p, name, len);
        name += len + (name[len] == '.');
    }
    put(p, "", 1);
}

static void put_record(struct packet *p, const struct zone_row *row)
{
    unsigned char addr[16];

    put_name(p, row->name);
    put_u16(p, row->type);
    put_u16(p, 1);
    put_u16(p, (row->ttl_s ? row->ttl_s : 300) >> 16);
    put_u16(p, (row->ttl_s ? row->ttl_s : 300) & 0xffff);
    size_t len_at = p->len;
    put_u16(p, 0);
    if (row->type == 1 || row->type == 28) {
        cr_assert_eq(inet_pton(row->type == 1 ? AF_INET : AF_INET6, row->data, addr), 1);
        put(p, addr, row->type == 1 ? 4 : 16);
    } else {
        if (row->type == 33) {
            put_u16(p, row->priority);
            put_u16(p, row->weight);
            put_u16(p, row->port);
        }
        put_name(p, row->data);
    }
    p->bytes[len_at + 1] = (unsigned char)(p->len - len_at - 2);
}

/* Reads the one question; returns where it ends. */
static size_t read_question(const unsigned char *q, size_t len, char name[256], unsigned *type)
{
    size_t at = 12, out = 0;

    while (at < len && q[at] && out + q[at] + 1 < 256 && at + q[at] + 1 < len) {
        memcpy(name + out, q + at + 1, q[at]);
        out += q[at];
        name[out++] = '.';
        at += (size_t)q[at] + 1;
    }
    name[out ? out - 1 : 0] = '\0';
    *type = at + 2 < len ? (unsigned)q[at + 1] << 8 | q[at + 2] : 0;
    return at + 5;
}

/* Rows of the name and type, aliases followed; *how and the first row's index. */
static unsigned put_answers(struct packet *p, const struct zone_row *rows, const char *name,
                            unsigned type, int *first)
{
    unsigned count = 0;

    for (unsigned hop = 0; hop < 10; hop++) {
        const char *alias = NULL;
        for (int i = 0; rows[i].name; i++) {
            if (strcasecmp(rows[i].name, name) != 0 ||
                (rows[i].type != type && rows[i].type != 5)) {
                continue;
            }
            *first = *first < 0 ? i : *first;
            if (rows[i].how == ZONE_ANSWER) {
                put_record(p, &rows[i]);
                count++;
                alias = rows[i].type == 5 ? rows[i].data : alias;
            }
        }
        if (alias == NULL) {
            break;
        }
        name = alias;
    }
    return count;
}

static void answer(struct name_server *ns, const unsigned char *q, size_t len,
                   const struct sockaddr_in *from)
{
    struct packet p = {0};
    char name[256] = "";
    unsigned type;
    int first = -1;
    size_t question_end = read_question(q, len, name, &type);

    cr_assert_leq(question_end, len);
    put(&p, q, question_end);
    unsigned count = put_answers(&p, ns->rows, name, type, &first);
    const struct zone_row *row = first >= 0 ? &ns->rows[first] : NULL;
    unsigned rcode = row == NULL ? 3 : row->how == ZONE_SERVFAIL ? 2 : 0;
    ns->asked++;
    if (row) {
        ns->asked_row[first]++;
        if (row->how == ZONE_SILENT) {
            return;
        }
        if (row->delay_ms) {
            struct timespec ts = {.tv_nsec = (long)row->delay_ms * 1000000};
            (void)nanosleep(&ts, NULL);
        }
        count += row->how == ZONE_GARBAGE ? 3 : 0;
    }
    p.bytes[2] = 0x81;
    p.bytes[3] = (unsigned char)(0x80 | rcode);
    p.bytes[4] = 0;
    p.bytes[5] = 1;
    p.bytes[6] = 0;
    p.bytes[7] = (unsigned char)count;
    memset(p.bytes + 8, 0, 4);
    (void)sendto(ns->fd, p.bytes, p.len, 0, (const struct sockaddr *)from, sizeof(*from));
}

static void *serve(void *arg)
{
    struct name_server *ns = arg;
    unsigned char q[1024];
    struct sockaddr_in from;

    while (!ns->stop) {
        socklen_t from_len = sizeof(from);
        ssize_t len = recvfrom(ns->fd, q, sizeof(q), 0, (struct sockaddr *)&from, &from_len);
        if (len >= 17) {
            answer(ns, q, (size_t)len, &from);
        }
    }
    return NULL;
}

void name_server_start(struct name_server *ns, const struct zone_row *rows)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct timeval limit = {.tv_usec = 50000};
    socklen_t len = sizeof(addr);

    memset(ns, 0, sizeof(*ns));
    ns->rows = rows;
    ns->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_assert_geq(ns->fd, 0);
    cr_assert_eq(setsockopt(ns->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    cr_assert_eq(bind(ns->fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    cr_assert_eq(getsockname(ns->fd, (struct sockaddr *)&addr, &len), 0);
    ns->port = ntohs(addr.sin_port);
    (void)snprintf(ns->address, sizeof(ns->address), "127.0.0.1:%u", ns->port);
    cr_assert_eq(pthread_create(&ns->thread, NULL, serve, ns), 0);
}

void name_server_stop(struct name_server *ns)
{
    ns->stop = true;
    cr_assert_eq(pthread_join(ns->thread, NULL), 0);
    (void)close(ns->fd);
}
