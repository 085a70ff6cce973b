/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control: alerts, tickets, key updates and attempts to renegotiate, whole and in pieces. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "record_kit.h"
#include "tls/control.h"

enum who { CLIENT_12, SERVER_12, CLIENT_13, SERVER_13, WHO_COUNT };

static void init(struct control *c, enum who who)
{
    control_init(c, who == CLIENT_12 || who == CLIENT_13, who >= CLIENT_13);
}

static enum control_event feed(struct control *c, uint8_t type, const char *hex, uint8_t *alert)
{
    return control_feed(c, type, kit_hex(hex), alert);
}

/* What a fresh connection of who says to one record. */
static void expect(enum who who, uint8_t type, const char *hex, enum control_event want,
                   uint8_t want_alert)
{
    struct control c;
    uint8_t alert;
    init(&c, who);
    enum control_event event = feed(&c, type, hex, &alert);
    cr_assert_eq(event, want, "%d: %s: %d, not %d", who, hex, event, want);
    if (want == CONTROL_BAD || want == CONTROL_ALERT) {
        cr_assert_eq(alert, want_alert, "%d: %s: alert %d, not %d", who, hex, alert, want_alert);
    }
}

#define TICKET "0400000e 00000e10 00000000 00 0001 78 0000"

Test(control, alerts)
{
    for (enum who who = CLIENT_12; who < WHO_COUNT; who++) {
        expect(who, RECORD_ALERT, "0100", CONTROL_CLOSED, 0);
        expect(who, RECORD_ALERT, "0200", CONTROL_CLOSED, 0);
        expect(who, RECORD_ALERT, "015a", CONTROL_NOTHING, 0);
        expect(who, RECORD_ALERT, "0228", CONTROL_ALERT, 40);
        expect(who, RECORD_ALERT, "0164", CONTROL_ALERT, 100);
        expect(who, RECORD_ALERT, "ffff", CONTROL_ALERT, 255);
        expect(who, RECORD_ALERT, "01", CONTROL_BAD, TLS_ALERT_DECODE_ERROR);
        expect(who, RECORD_ALERT, "", CONTROL_BAD, TLS_ALERT_DECODE_ERROR);
        expect(who, RECORD_ALERT, "010000", CONTROL_BAD, TLS_ALERT_DECODE_ERROR);
        expect(who, RECORD_ALERT, "01000100", CONTROL_BAD, TLS_ALERT_DECODE_ERROR);
    }
}

Test(control, key_updates)
{
    for (enum who who = CLIENT_13; who <= SERVER_13; who++) {
        expect(who, RECORD_HANDSHAKE, "1800000100", CONTROL_UPDATE, 0);
        expect(who, RECORD_HANDSHAKE, "1800000101", CONTROL_UPDATE_BOTH, 0);
        expect(who, RECORD_HANDSHAKE, "1800000102", CONTROL_BAD, TLS_ALERT_ILLEGAL_PARAMETER);
        expect(who, RECORD_HANDSHAKE, "18000001ff", CONTROL_BAD, TLS_ALERT_ILLEGAL_PARAMETER);
        expect(who, RECORD_HANDSHAKE, "18000000", CONTROL_BAD, TLS_ALERT_DECODE_ERROR);
        expect(who, RECORD_HANDSHAKE, "180000020000", CONTROL_BAD, TLS_ALERT_DECODE_ERROR);
        expect(who, RECORD_HANDSHAKE, "18010001", CONTROL_BAD, TLS_ALERT_DECODE_ERROR);
        /* Not the end of its record. */
        expect(who, RECORD_HANDSHAKE, "180000010018", CONTROL_BAD, TLS_ALERT_UNEXPECTED_MESSAGE);
        expect(who, RECORD_HANDSHAKE, "18000001001800000100", CONTROL_BAD,
               TLS_ALERT_UNEXPECTED_MESSAGE);
    }
    expect(CLIENT_12, RECORD_HANDSHAKE, "1800000100", CONTROL_BAD, TLS_ALERT_UNEXPECTED_MESSAGE);
    expect(SERVER_12, RECORD_HANDSHAKE, "1800000100", CONTROL_BAD, TLS_ALERT_UNEXPECTED_MESSAGE);
}

Test(control, tickets)
{
    expect(CLIENT_13, RECORD_HANDSHAKE, TICKET, CONTROL_NOTHING, 0);
    expect(CLIENT_13, RECORD_HANDSHAKE, TICKET TICKET TICKET, CONTROL_NOTHING, 0);
    expect(CLIENT_13, RECORD_HANDSHAKE, TICKET "1800000100", CONTROL_UPDATE, 0);
    expect(SERVER_13, RECORD_HANDSHAKE, TICKET, CONTROL_BAD, TLS_ALERT_UNEXPECTED_MESSAGE);
    expect(CLIENT_12, RECORD_HANDSHAKE, TICKET, CONTROL_BAD, TLS_ALERT_UNEXPECTED_MESSAGE);
    expect(SERVER_12, RECORD_HANDSHAKE, TICKET, CONTROL_BAD, TLS_ALERT_UNEXPECTED_MESSAGE);
    expect(CLIENT_13, RECORD_HANDSHAKE, "0400000d", CONTROL_BAD, TLS_ALERT_DECODE_ERROR);
    expect(CLIENT_13, RECORD_HANDSHAKE, "04010001", CONTROL_BAD, TLS_ALERT_DECODE_ERROR);
    expect(CLIENT_13, RECORD_HANDSHAKE, "04ffffff", CONTROL_BAD, TLS_ALERT_DECODE_ERROR);
    expect(CLIENT_13, RECORD_HANDSHAKE, "04010000", CONTROL_NOTHING, 0);
}

Test(control, renegotiation)
{
    expect(CLIENT_12, RECORD_HANDSHAKE, "00000000", CONTROL_REFUSE, 0);
    expect(CLIENT_12, RECORD_HANDSHAKE, "0000000000000000", CONTROL_REFUSE, 0);
    expect(CLIENT_12, RECORD_HANDSHAKE, "000000000000", CONTROL_REFUSE, 0); /* and a beginning */
    expect(CLIENT_12, RECORD_HANDSHAKE, "00000001", CONTROL_BAD, TLS_ALERT_DECODE_ERROR);
    expect(SERVER_12, RECORD_HANDSHAKE, "0100000403030102", CONTROL_REFUSE, 0);
    expect(SERVER_12, RECORD_HANDSHAKE, "01010001", CONTROL_BAD, TLS_ALERT_DECODE_ERROR);
    expect(SERVER_12, RECORD_HANDSHAKE, "00000000", CONTROL_BAD, TLS_ALERT_UNEXPECTED_MESSAGE);
    expect(CLIENT_12, RECORD_HANDSHAKE, "0100000403030102", CONTROL_BAD,
           TLS_ALERT_UNEXPECTED_MESSAGE);
    for (enum who who = CLIENT_13; who <= SERVER_13; who++) {
        expect(who, RECORD_HANDSHAKE, "00000000", CONTROL_BAD, TLS_ALERT_UNEXPECTED_MESSAGE);
        expect(who, RECORD_HANDSHAKE, "0100000403030102", CONTROL_BAD,
               TLS_ALERT_UNEXPECTED_MESSAGE);
    }
}

Test(control, everything_else)
{
    for (enum who who = CLIENT_12; who < WHO_COUNT; who++) {
        for (int message = 0; message < 256; message++) {
            char hex[16];
            if (message == 0 || message == 1 || message == 4 || message == 24) {
                continue;
            }
            (void)snprintf(hex, sizeof(hex), "%02x00000100", (unsigned)message);
            expect(who, RECORD_HANDSHAKE, hex, CONTROL_BAD, TLS_ALERT_UNEXPECTED_MESSAGE);
        }
        expect(who, RECORD_HANDSHAKE, "", CONTROL_BAD, TLS_ALERT_UNEXPECTED_MESSAGE);
        for (int type = 0; type < 256; type++) {
            if (type != RECORD_ALERT && type != RECORD_HANDSHAKE) {
                expect(who, (uint8_t)type, "01", CONTROL_BAD, TLS_ALERT_UNEXPECTED_MESSAGE);
            }
        }
    }
}

/* Every way to cut three messages into two or three records says the same. */
Test(control, messages_in_pieces)
{
    struct slice whole = kit_hex(TICKET TICKET "1800000101");
    for (size_t a = 1; a < whole.len; a++) {
        for (size_t b = a + 1; b <= whole.len; b++) {
            struct control c;
            uint8_t alert;
            init(&c, CLIENT_13);
            struct slice last = slice_from(whole, b);
            cr_assert_eq(control_feed(&c, RECORD_HANDSHAKE, slice_to(whole, a), &alert),
                         CONTROL_NOTHING);
            cr_assert_eq(control_is_at_border(&c), a == 18 || a == 36);
            cr_assert_eq(
                control_feed(&c, RECORD_HANDSHAKE, slice_to(slice_from(whole, a), b - a), &alert),
                last.len == 0 ? CONTROL_UPDATE_BOTH : CONTROL_NOTHING);
            if (last.len > 0) {
                cr_assert_eq(control_feed(&c, RECORD_HANDSHAKE, last, &alert),
                             CONTROL_UPDATE_BOTH);
            }
            cr_assert(control_is_at_border(&c));
        }
    }
}

Test(control, nothing_else_inside_a_message)
{
    struct control c;
    uint8_t alert;
    init(&c, CLIENT_13);
    cr_assert_eq(feed(&c, RECORD_HANDSHAKE, "04", &alert), CONTROL_NOTHING);
    cr_assert_not(control_is_at_border(&c));
    cr_assert_eq(feed(&c, RECORD_ALERT, "0100", &alert), CONTROL_BAD);
    cr_assert_eq(alert, TLS_ALERT_UNEXPECTED_MESSAGE);
    init(&c, SERVER_12); /* RFC 5246 lets them interleave */
    cr_assert_eq(feed(&c, RECORD_HANDSHAKE, "010000", &alert), CONTROL_NOTHING);
    cr_assert(control_is_at_border(&c));
    cr_assert_eq(feed(&c, RECORD_ALERT, "0100", &alert), CONTROL_CLOSED);
}

/* How many of the same record are taken. */
static uint32_t patience(struct control *c, uint8_t type, const char *hex)
{
    for (uint32_t i = 0; i < 10000; i++) {
        uint8_t alert;
        enum control_event event = feed(c, type, hex, &alert);
        if (event == CONTROL_BAD) {
            cr_assert_eq(alert, TLS_ALERT_UNEXPECTED_MESSAGE);
            return i;
        }
    }
    return UINT32_MAX;
}

Test(control, floods_end)
{
    struct control c;
    init(&c, CLIENT_13);
    cr_assert_eq(patience(&c, RECORD_HANDSHAKE, TICKET), CONTROL_QUIET_MAX);
    init(&c, SERVER_13);
    cr_assert_eq(patience(&c, RECORD_HANDSHAKE, "1800000101"), CONTROL_QUIET_MAX);
    init(&c, SERVER_13);
    cr_assert_eq(patience(&c, RECORD_ALERT, "015a"), CONTROL_QUIET_MAX);
    init(&c, CLIENT_12);
    cr_assert_eq(patience(&c, RECORD_HANDSHAKE, "00000000"), CONTROL_QUIET_MAX);
    init(&c, CLIENT_12); /* many in one record */
    cr_assert_eq(patience(&c, RECORD_HANDSHAKE, "00000000 00000000"), CONTROL_QUIET_MAX / 2);
    init(&c, SERVER_12); /* a hello that does not end */
    cr_assert_eq(feed(&c, RECORD_HANDSHAKE, "01010000", &(uint8_t){0}), CONTROL_NOTHING);
    cr_assert_eq(patience(&c, RECORD_HANDSHAKE, "00"), CONTROL_QUIET_MAX - 1);
}

Test(control, one_record_full_of_messages_is_a_flood)
{
    static char zeros[16384];
    struct control c;
    uint8_t alert;
    init(&c, CLIENT_12);
    cr_assert_eq(control_feed(&c, RECORD_HANDSHAKE, slice_make(zeros, sizeof(zeros)), &alert),
                 CONTROL_BAD);
    cr_assert_eq(alert, TLS_ALERT_UNEXPECTED_MESSAGE);
}

Test(control, application_data_renews_the_patience)
{
    struct control c;
    uint8_t alert;
    init(&c, CLIENT_13);
    for (uint32_t i = 0; i < 10 * CONTROL_QUIET_MAX; i++) {
        cr_assert_eq(feed(&c, RECORD_HANDSHAKE, "1800000100", &alert), CONTROL_UPDATE);
        if (i % CONTROL_QUIET_MAX == CONTROL_QUIET_MAX - 1) {
            control_data(&c);
        }
    }
    for (uint32_t i = 0; i < CONTROL_QUIET_MAX; i++) {
        cr_assert(control_quiet(&c)); /* empty records */
    }
    cr_assert_not(control_quiet(&c));
    cr_assert_not(control_quiet(&c));
}
