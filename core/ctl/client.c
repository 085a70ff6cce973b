/* SPDX-License-Identifier: GPL-2.0-or-later */
/* client: connect, ask, wait. */
#include "ctl/client.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/pool.h"
#include "ctl/client_path.h"
#include "ctl/out.h"
#include "policy/quote.h"

#define SHOWN_PATH_BYTES 512u /* some 108 bytes, and what cleaning makes of them */
#define READ_BYTES      ((size_t)64 << 10)
#define DEPTH_MAX       16u
#define REPLY_BYTES_MAX ((size_t)9 << 20) /* more than a node writes (edge/admin.h) */

void client_deinit(struct client_reply *r)
{
    json_deinit(&r->doc);
    if (r->bytes) {
        explicit_bzero(r->bytes, r->len); /* may hold a dialback key */
    }
    pool_heap_free(r->bytes);
    *r = (struct client_reply){0};
}

/* The whole path: it is a socket's, so it is short (sockaddr_un), and its end is what matters. */
static void show_path(char out[SHOWN_PATH_BYTES], const char *path)
{
    struct buf text;

    buf_init(&text, SHOWN_PATH_BYTES);
    out_put_clean(&text, slice_from_cstr(path));
    slice_to_cstr_cut(buf_slice(&text), out, SHOWN_PATH_BYTES);
    buf_deinit(&text);
}

static int explain(int err, const char *path, char why[CLIENT_WHY_BYTES])
{
    char at[SHOWN_PATH_BYTES];

    show_path(at, path);
    switch (err) {
    case EACCES:
    case EPERM:
        (void)snprintf(why, CLIENT_WHY_BYTES, "the admin socket %s is not for this user: be root "
                       "or in the group of the node (fedgate)", at);
        return EX_NOPERM;
    case ENOENT:
    case ECONNREFUSED:
        (void)snprintf(why, CLIENT_WHY_BYTES, "no node answers on %s: %s; does it run (systemctl "
                       "status fedgate), and was it started with this listen.admin?", at,
                       err_text(-err));
        return EX_UNAVAILABLE;
    case EAGAIN:
        (void)snprintf(why, CLIENT_WHY_BYTES, "the node at %s does not answer in time", at);
        return EX_UNAVAILABLE;
    default:
        (void)snprintf(why, CLIENT_WHY_BYTES, "asking on %s: %s", at, err_text(-err));
        return EX_UNAVAILABLE;
    }
}

/* The connected socket, or -errno. */
static int open_socket(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    struct timeval wait = {.tv_sec = CLIENT_CONNECT_S};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int err;

    if (fd < 0) {
        return -errno;
    }
    slice_to_cstr_cut(slice_from_cstr(path), addr.sun_path, sizeof(addr.sun_path));
    /* Also how long connect waits for a place in the queue. */
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0) {
        err = -errno;
        (void)close(fd);
        return err;
    }
    return fd;
}

/* 0 or -errno. */
static int send_all(int fd, struct slice request)
{
    while (request.len > 0) {
        ssize_t sent = send(fd, request.ptr, request.len, MSG_NOSIGNAL);

        if (sent < 0 && errno != EINTR) {
            return -errno;
        }
        request = slice_from(request, sent < 0 ? 0 : (size_t)sent);
    }
    return 0;
}

static time_t monotonic_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* Until the line's end, for wait_s at most; NUL-terminated. 0 or -errno. */
static int receive(int fd, unsigned wait_s, char **bytes, size_t *len)
{
    time_t begin = monotonic_s();
    size_t cap = 0;

    *bytes = NULL;
    *len = 0;
    for (;;) {
        struct timeval wait = {.tv_sec = begin + (time_t)wait_s - monotonic_s()};
        ssize_t got;

        if (wait.tv_sec <= 0) {
            return -EAGAIN;
        }
        if (cap - *len <= READ_BYTES) {
            cap = 2 * cap + 2 * READ_BYTES;
            *bytes = pool_heap_grow(*bytes, cap);
        }
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
        got = recv(fd, *bytes + *len, READ_BYTES, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got < 0 ? -errno : -ECONNRESET;
        }
        *len += (size_t)got;
        (*bytes)[*len] = 0;
        if ((*bytes)[*len - 1] == '\n') {
            return 0;
        }
        if (*len > REPLY_BYTES_MAX) {
            return -EMSGSIZE;
        }
    }
}

static int read_reply(const struct ctl *ctl, int fd, struct slice request,
                      struct client_reply *reply)
{
    int err = send_all(fd, request);

    /* A node that did not like the request may have answered and closed before it read all. */
    if (err == 0 || err == -EPIPE) {
        err = receive(fd, ctl->reply_s ? ctl->reply_s : CLIENT_REPLY_S, &reply->bytes, &reply->len);
    }
    return err;
}

int client_try(const struct ctl *ctl, struct slice request, struct client_reply *reply,
               char why[CLIENT_WHY_BYTES])
{
    char path[CLIENT_PATH_BYTES];
    struct json_fault fault;
    int status;
    int err;
    int fd;

    *reply = (struct client_reply){0};
    status = client_path(ctl, path, why);
    if (status != EX_OK) {
        return status;
    }
    fd = open_socket(path);
    if (fd < 0) {
        return explain(-fd, path, why);
    }
    err = read_reply(ctl, fd, request, reply);
    (void)close(fd);
    if (err != 0) {
        client_deinit(reply);
        return explain(-err, path, why);
    }
    if (json_parse(&reply->doc, slice_make(reply->bytes, reply->len), DEPTH_MAX, &fault) != 0 ||
        json_kind_of(&reply->doc, 0) != JSON_OBJECT) {
        (void)snprintf(why, CLIENT_WHY_BYTES, "what answers on %s is no fedgate",
                       quote(slice_from_cstr(path)).text);
        client_deinit(reply);
        return EX_PROTOCOL;
    }
    reply->is_ok = client_bool(reply, 0, "ok");
    return EX_OK;
}

int client_ask(const struct ctl *ctl, struct slice request, struct client_reply *reply)
{
    char why[CLIENT_WHY_BYTES];
    int status = client_try(ctl, request, reply, why);

    if (status != EX_OK) {
        return out_fail(ctl, status, "%s", why);
    }
    if (!reply->is_ok) {
        struct slice error = client_text(reply, 0, "error");

        return out_fail(ctl, EX_DATAERR, "the node says: %.*s", SLICE_FMT(error));
    }
    return EX_OK;
}

int client_ask_plain(const struct ctl *ctl, const char *command, struct client_reply *reply)
{
    char request[64];

    (void)snprintf(request, sizeof(request), "{\"command\": \"%s\"}\n", command);
    return client_ask(ctl, slice_from_cstr(request), reply);
}

uint32_t client_member(const struct client_reply *r, uint32_t object, const char *key)
{
    uint32_t node = object + 1;

    if (object == JSON_NONE || json_kind_of(&r->doc, object) != JSON_OBJECT) {
        return JSON_NONE;
    }
    while (node < r->doc.nodes[object].next) {
        if (slice_eq_cstr(json_text(&r->doc, node), key)) {
            return node + 1;
        }
        node = r->doc.nodes[node + 1].next;
    }
    return JSON_NONE;
}

struct slice client_text(const struct client_reply *r, uint32_t object, const char *key)
{
    uint32_t node = client_member(r, object, key);

    if (node == JSON_NONE || json_kind_of(&r->doc, node) != JSON_TEXT) {
        return SLICE_NONE;
    }
    return json_text(&r->doc, node);
}

int64_t client_number(const struct client_reply *r, uint32_t object, const char *key)
{
    uint32_t node = client_member(r, object, key);
    bool is_negative;
    struct slice text;
    uint64_t value;

    if (node == JSON_NONE || json_kind_of(&r->doc, node) != JSON_NUMBER) {
        return 0;
    }
    text = json_text(&r->doc, node);
    is_negative = slice_starts(text, SLICE_LIT("-"));
    if (!slice_parse_u64(slice_from(text, is_negative), &value) || value > INT64_MAX) {
        return 0;
    }
    return is_negative ? -(int64_t)value : (int64_t)value;
}

bool client_bool(const struct client_reply *r, uint32_t object, const char *key)
{
    uint32_t node = client_member(r, object, key);

    return node != JSON_NONE && json_kind_of(&r->doc, node) == JSON_TRUE;
}

uint32_t client_first(const struct client_reply *r, uint32_t list)
{
    return list == JSON_NONE || json_kind_of(&r->doc, list) != JSON_LIST
               ? JSON_NONE
               : client_next(r, list, list);
}

uint32_t client_next(const struct client_reply *r, uint32_t list, uint32_t element)
{
    uint32_t node = element == list ? list + 1 : r->doc.nodes[element].next;

    return node < r->doc.nodes[list].next ? node : JSON_NONE;
}

static void copy_value(struct jout *j, const char *key, const struct json_doc *doc, uint32_t node)
{
    switch (json_kind_of(doc, node)) {
    case JSON_TRUE:
    case JSON_FALSE:
        jout_bool(j, key, json_kind_of(doc, node) == JSON_TRUE);
        break;
    case JSON_NUMBER:
        jout_raw(j, key, json_text(doc, node));
        break;
    case JSON_TEXT:
        jout_text(j, key, json_text(doc, node));
        break;
    case JSON_LIST:
        jout_list(j, key);
        break;
    case JSON_OBJECT:
        jout_object(j, key);
        break;
    case JSON_NULL:
    case JSON_KEY:
        jout_null(j, key);
        break;
    }
}

/* Document order; what is open is closed when its subtree ends. */
void client_copy(struct jout *j, const char *key, const struct client_reply *r, uint32_t top)
{
    const struct json_doc *doc = &r->doc;
    uint32_t ends[DEPTH_MAX]; /* the reply was parsed with this bound */
    uint32_t depth = 0;

    for (uint32_t node = top; node < doc->nodes[top].next; node++) {
        enum json_kind kind = json_kind_of(doc, node);

        while (depth > 0 && ends[depth - 1] <= node) {
            depth--;
            jout_end(j);
        }
        if (kind == JSON_KEY) {
            jout_key(j, json_text(doc, node));
            continue;
        }
        copy_value(j, node == top ? key : NULL, doc, node);
        if (kind == JSON_LIST || kind == JSON_OBJECT) {
            ends[depth++] = doc->nodes[node].next;
        }
    }
    while (depth-- > 0) {
        jout_end(j);
    }
}
