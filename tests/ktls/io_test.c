/* SPDX-License-Identifier: GPL-2.0-or-later */
/* io over sockets of a kernel that does TLS; runs in user-mode-linux (tests/ktls). Pins down what
 * core/engine relies on: what ends a receive, what a control record does to it, what is refused. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/io.h"
#include "io/ktls.h"
#include "tls/record.h"

enum { BUFS = 8, BUF_BYTES = 4096, ALERT = 21, HANDSHAKE = 22 };

static const unsigned char key_0[32] = {1, 2, 3};
static const unsigned char key_1[32] = {4, 5, 6};
static const unsigned char iv_0[12] = {7, 8, 9};
static const unsigned char iv_1[12] = {10, 11, 12};

static struct io *io;
static int near, far; /* near: driven by io; far: by plain calls */

static void connect_both(void)
{
    struct io_params params = {.buf_count = BUFS, .buf_bytes = BUF_BYTES};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(at);
    char why[300] = "";
    int listener = io_listen_open((struct sockaddr *)&at, len, 1);

    cr_assert_eq(io_uring_backend.create(&io, &params, why, sizeof(why)), 0);
    cr_assert_eq(io->vt->enable(io), 0);
    cr_assert_geq(listener, 0);
    cr_assert_eq(getsockname(listener, (struct sockaddr *)&at, &len), 0);
    far = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(connect(far, (struct sockaddr *)&at, len), 0);
    near = accept(listener, NULL, NULL);
    cr_assert_geq(near, 0);
    close(listener);
}

static void both_ends(void)
{
    struct ktls_keys keys_0 = {true, KTLS_AES_128_GCM, key_0, iv_0, 0};
    struct ktls_keys keys_1 = {true, KTLS_AES_128_GCM, key_1, iv_1, 5};

    connect_both();
    cr_assert_eq(io->vt->ktls_attach(io, near), 0);
    cr_assert_eq(ktls_attach(far), 0);
    cr_assert_eq(io->vt->ktls_set(io, near, true, &keys_0), 0);
    cr_assert_eq(io->vt->ktls_set(io, near, false, &keys_1), 0);
    cr_assert_eq(ktls_set_in(far, &keys_0), 0);
    cr_assert_eq(ktls_set_out(far, &keys_1), 0);
}

static struct io_tag tag(enum io_op op)
{
    return (struct io_tag){op, 1, 1};
}

static struct io_event next(enum io_op op)
{
    struct io_event ev = {0};

    for (uint32_t i = 0; i < 100; i++) {
        if (io->vt->reap(io, &ev, 1)) {
            cr_assert_eq(ev.tag.op, op);
            return ev;
        }
        cr_assert_eq(io->vt->wait(io, 200), 0);
    }
    cr_assert(false, "no event");
    return ev;
}

static void far_record(uint8_t type, const char *bytes, uint8_t len)
{
    struct io_record record = {.type = type, .len = len};

    memcpy(record.bytes, bytes, len);
    ktls_record_fill(&record);
    cr_assert_eq(sendmsg(far, &record.head, MSG_NOSIGNAL), len);
}

static void recv_expect(const char *bytes, int len)
{
    struct io_event ev = next(IO_OP_RECV);

    cr_assert_eq(ev.result, len);
    cr_assert_arr_eq(ev.bytes, bytes, (size_t)len);
    io->vt->buf_return(io, ev.buf_idx);
}

Test(ktls_io, the_probe_finds_all_versions_and_ciphers)
{
    struct ktls_caps caps;
    struct ktls_counters before, after;

    cr_assert(ktls_counters(&before));
    ktls_probe(&caps);
    (void)printf("probe: %s\n", caps.text);
    cr_assert(caps.is_there);
    for (uint32_t v = 0; v < 2; v++) {
        for (uint32_t i = 0; i < KTLS_CIPHER_COUNT; i++) {
            cr_expect(caps.ciphers[v][i]);
        }
    }
    cr_assert(ktls_counters(&after));
    cr_assert_eq(after.total_in_sw - before.total_in_sw, 4 * KTLS_CIPHER_COUNT);
    cr_assert_eq(after.total_out_sw - before.total_out_sw, 4 * KTLS_CIPHER_COUNT);
    cr_assert_eq(after.decrypt_errors, before.decrypt_errors);
    cr_assert_eq(after.current_in_sw, before.current_in_sw);
}

Test(ktls_io, a_control_record_ends_the_receive_and_is_read_apart)
{
    struct io_event ev;
    uint8_t type = 0;
    char got[64];

    both_ends();
    cr_assert_eq(io->vt->recv(io, near, tag(IO_OP_RECV)), 0);
    cr_assert_eq(send(far, "before", 6, 0), 6);
    recv_expect("before", 6);
    far_record(HANDSHAKE, "\x18\0\0\1\0", 5);
    cr_assert_eq(send(far, "after", 5, 0), 5);
    ev = next(IO_OP_RECV);
    cr_assert_eq(ev.result, -EIO);
    cr_assert(ev.is_last);
    if (ev.buf_idx != IO_NO_BUF) {
        io->vt->buf_return(io, ev.buf_idx);
    }
    cr_assert_eq(io->vt->ktls_recv(io, near, &type, got, sizeof(got)), 5);
    cr_assert_eq(type, HANDSHAKE);
    cr_assert_arr_eq(got, "\x18\0\0\1\0", 5);
    cr_assert_eq(io->vt->recv(io, near, tag(IO_OP_RECV)), 0);
    recv_expect("after", 5);
    cr_assert_eq(io->vt->ktls_recv(io, near, &type, got, sizeof(got)), -EAGAIN);
}

Test(ktls_io, a_large_control_record_comes_in_parts)
{
    struct io_event ev;
    uint8_t type = 0;
    char got[5];

    both_ends();
    cr_assert_eq(io->vt->recv(io, near, tag(IO_OP_RECV)), 0);
    far_record(HANDSHAKE, "12345678", 8);
    ev = next(IO_OP_RECV);
    cr_assert_eq(ev.result, -EIO);
    cr_assert_eq(io->vt->ktls_recv(io, near, &type, got, sizeof(got)), 5);
    cr_assert_eq(io->vt->recv(io, near, tag(IO_OP_RECV)), 0);
    ev = next(IO_OP_RECV);
    cr_assert_eq(ev.result, -EIO, "the rest keeps its type");
    cr_assert_eq(io->vt->ktls_recv(io, near, &type, got, sizeof(got)), 3);
    cr_assert_eq(type, HANDSHAKE);
    cr_assert_arr_eq(got, "678", 3);
}

Test(ktls_io, empty_records_are_no_end)
{
    struct ktls_keys keys_1 = {true, KTLS_AES_128_GCM, key_1, iv_1, 0};
    struct tls_keys theirs = {.version = TLS_VERSION_1_3, .cipher = TLS_CIPHER_AES_128_GCM};
    struct record_side side;
    struct io_event ev;
    struct buf wire;

    memcpy(theirs.key, key_1, 16);
    memcpy(theirs.iv, iv_1, sizeof(iv_1));
    record_side_init(&side, &tls_aead_wolfcrypt, &theirs);
    buf_init(&wire, 10000);
    for (uint32_t i = 0; i < 100; i++) { /* the kernel itself does not send such */
        cr_assert_eq(record_seal(&side, RECORD_APPLICATION_DATA, SLICE_NONE, 100, &wire), 0);
    }
    cr_assert_eq(record_seal(&side, RECORD_APPLICATION_DATA, SLICE_LIT("x"), 100, &wire), 0);
    connect_both();
    cr_assert_eq(ktls_attach(near), 0);
    cr_assert_eq(ktls_set_in(near, &keys_1), 0);
    cr_assert_eq(io->vt->recv(io, near, tag(IO_OP_RECV)), 0);
    cr_assert_eq(send(far, wire.data + wire.head, buf_len(&wire), 0), (ssize_t)buf_len(&wire));
    ev = next(IO_OP_RECV);
    cr_assert_eq(ev.result, 1);
    cr_assert_eq(ev.bytes[0], 'x');
    record_side_deinit(&side);
    buf_deinit(&wire);
}

Test(ktls_io, our_control_records)
{
    struct io_record record = {.type = ALERT, .len = 2, .bytes = {1, 0}};
    struct io_event ev;
    uint8_t type = 0;
    char got[16];

    both_ends();
    cr_assert_eq(io->vt->send(io, near, "data", 4, tag(IO_OP_SEND)), 0);
    ev = next(IO_OP_SEND);
    cr_assert_eq(ev.result, 4);
    cr_assert_eq(io->vt->send_record(io, near, &record, tag(IO_OP_SEND)), 0);
    ev = next(IO_OP_SEND);
    cr_assert_eq(ev.result, 2);
    cr_assert(ev.is_last);
    cr_assert_eq(recv(far, got, sizeof(got), 0), 4);
    cr_assert_eq(recv(far, got, sizeof(got), 0), -1);
    cr_assert_eq(errno, EIO);
    cr_assert_eq(ktls_recv(far, &type, got, sizeof(got)), 2);
    cr_assert_eq(type, ALERT);
    cr_assert_arr_eq(got, "\1\0", 2);
}

/* Random bytes are no record, a wrong tag is none: what the receive says; an alert still goes out.
 */
static int broken(const char *bytes, size_t len)
{
    struct io_record record = {.type = ALERT, .len = 2, .bytes = {2, 20}};
    struct ktls_keys keys_0 = {true, KTLS_AES_128_GCM, key_0, iv_0, 0};
    struct ktls_keys keys_1 = {true, KTLS_AES_128_GCM, key_1, iv_1, 0};
    struct io_event ev;
    uint8_t type = 0;
    char got[16];
    int result;

    connect_both();
    cr_assert_eq(ktls_attach(near), 0);
    cr_assert_eq(ktls_set_out(near, &keys_0), 0);
    cr_assert_eq(ktls_set_in(near, &keys_1), 0);
    cr_assert_eq(io->vt->recv(io, near, tag(IO_OP_RECV)), 0);
    cr_assert_eq(send(far, bytes, len, 0), (ssize_t)len);
    ev = next(IO_OP_RECV);
    cr_assert(ev.is_last);
    result = ev.result;
    cr_assert_eq(io->vt->send_record(io, near, &record, tag(IO_OP_SEND)), 0);
    ev = next(IO_OP_SEND);
    cr_assert_eq(ev.result, 2);
    cr_assert_eq(ktls_attach(far), 0);
    cr_assert_eq(ktls_set_in(far, &keys_0), 0);
    cr_assert_eq(ktls_recv(far, &type, got, sizeof(got)), 2);
    cr_assert_eq(type, ALERT);
    return result;
}

Test(ktls_io, a_broken_record)
{
    char record[5 + 40] = {23, 3, 3, 0, 40};

    cr_assert_eq(broken(record, sizeof(record)), -EBADMSG);
}

Test(ktls_io, a_record_too_long)
{
    cr_assert_eq(broken("\x17\3\3\x7f\xff" "0123456789", 15), -EMSGSIZE);
}

Test(ktls_io, a_record_of_another_version)
{
    cr_assert_eq(broken("\x17\2\3\0\x28" "0123456789", 15), -EINVAL);
}

Test(ktls_io, the_end_and_a_cut_record_are_ends)
{
    struct io_event ev;

    both_ends();
    cr_assert_eq(io->vt->recv(io, near, tag(IO_OP_RECV)), 0);
    cr_assert_eq(send(far, "last", 4, 0), 4);
    cr_assert_eq(shutdown(far, SHUT_WR), 0);
    recv_expect("last", 4);
    ev = next(IO_OP_RECV);
    cr_assert_eq(ev.result, 0);
    cr_assert(ev.is_last);
}

Test(ktls_io, the_peers_end_is_seen_without_reading)
{
    struct io_event ev;

    both_ends();
    cr_assert_eq(io->vt->recv_end(io, near, tag(IO_OP_RECV)), 0);
    cr_assert_eq(send(far, "unread", 6, 0), 6);
    cr_assert_eq(io->vt->wait(io, 30), 0);
    cr_assert_eq(io->vt->reap(io, &ev, 1), 0);
    cr_assert_eq(shutdown(far, SHUT_WR), 0);
    ev = next(IO_OP_RECV);
    cr_assert(ev.is_last);
    cr_assert_geq(ev.result, 0);
}

Test(ktls_io, an_exact_receive_stops_at_the_border)
{
    struct ktls_keys keys_1 = {true, KTLS_AES_128_GCM, key_1, iv_1, 0};
    struct io_event ev;
    char head[7];

    connect_both();
    cr_assert_eq(send(far, "plain: ", 7, 0), 7);
    cr_assert_eq(ktls_attach(far), 0);
    cr_assert_eq(ktls_set_out(far, &keys_1), 0);
    cr_assert_eq(send(far, "sealed", 6, 0), 6);
    cr_assert_eq(io->vt->recv_once(io, near, head, sizeof(head), tag(IO_OP_RECV)), 0);
    ev = next(IO_OP_RECV);
    cr_assert_eq(ev.result, 7);
    cr_assert(ev.is_last);
    cr_assert_eq(ev.buf_idx, IO_NO_BUF);
    cr_assert_arr_eq(head, "plain: ", 7);
    cr_assert_eq(ktls_attach(near), 0);
    cr_assert_eq(ktls_set_in(near, &keys_1), 0);
    cr_assert_eq(io->vt->recv(io, near, tag(IO_OP_RECV)), 0);
    recv_expect("sealed", 6);
}

Test(ktls_io, what_the_kernel_refuses)
{
    struct ktls_keys keys = {true, KTLS_AES_128_GCM, key_0, iv_0, 0};
    struct ktls_caps caps;
    int unconnected = socket(AF_INET, SOCK_STREAM, 0);

    ktls_probe(&caps);
    cr_assert_eq(ktls_attach(unconnected), -ENOTCONN);
    close(unconnected);
    both_ends();
    cr_assert_eq(ktls_attach(near), -EEXIST);
    cr_assert_eq(ktls_set_out(near, &keys), caps.can_rekey ? 0 : -EBUSY);
}

/* Sends into a full window come short or wait; nothing is lost or doubled on the way. */
Test(ktls_io, short_sends_keep_the_stream_whole)
{
    static char block[200000], got[200000];
    size_t sent = 0, read_bytes = 0;
    struct io_event ev;

    both_ends();
    for (size_t i = 0; i < sizeof(block); i++) {
        block[i] = (char)(i * 7 + i / 251);
    }
    while (sent < sizeof(block)) {
        cr_assert_eq(io->vt->send(io, near, block + sent, sizeof(block) - sent,
                                  tag(IO_OP_SEND)), 0);
        while (!io->vt->reap(io, &ev, 1)) {
            ssize_t n = recv(far, got + read_bytes, 10000, MSG_DONTWAIT);

            read_bytes += n > 0 ? (size_t)n : 0;
            cr_assert_eq(io->vt->wait(io, 1), 0);
        }
        cr_assert_gt(ev.result, 0);
        sent += (size_t)ev.result;
    }
    while (read_bytes < sizeof(block)) {
        ssize_t n = recv(far, got + read_bytes, sizeof(got) - read_bytes, 0);

        cr_assert_gt(n, 0);
        read_bytes += (size_t)n;
    }
    cr_assert_arr_eq(block, got, sizeof(block));
}
