/* SPDX-License-Identifier: GPL-2.0-or-later */
/* user: records once the keys are ours: opened and sealed by the record engine, or by the kernel,
 * which leaves us all that is not application data. */
#include "base/check.h"
#include "base/err.h"
#include "tls/tls_int.h"

#define HANDSHAKE_KEY_UPDATE 24

/* Records of one kind of text each, in the order in which they have to go out. */
static const struct {
    uint8_t say; /* enum tls_say */
    struct tls_note note;
} phrases[] = {
    {TLS_SAY_NO_RENEGOTIATION,
     {RECORD_ALERT, TLS_ALERT_BYTES, {TLS_ALERT_WARNING, TLS_ALERT_NO_RENEGOTIATION}}},
    {TLS_SAY_KEY_UPDATE, {RECORD_HANDSHAKE, 5, {HANDSHAKE_KEY_UPDATE, 0, 0, 1, 0}}},
    {TLS_SAY_KEY_UPDATE_ASK, {RECORD_HANDSHAKE, 5, {HANDSHAKE_KEY_UPDATE, 0, 0, 1, 1}}},
    {TLS_SAY_ALERT, {RECORD_ALERT, TLS_ALERT_BYTES, {TLS_ALERT_FATAL, 0}}},
    {TLS_SAY_CLOSE, {RECORD_ALERT, TLS_ALERT_BYTES, {TLS_ALERT_WARNING, TLS_ALERT_CLOSE_NOTIFY}}},
};

#define SAY_UPDATES (0u | TLS_SAY_KEY_UPDATE | TLS_SAY_KEY_UPDATE_ASK)
#define SAY_LAST (TLS_SAY_ALERT | TLS_SAY_CLOSE)

static bool next_phrase(struct tls_session *s, uint8_t *say, struct tls_note *note)
{
    for (size_t i = 0; i < ARRAY_COUNT(phrases); i++) {
        if (s->say & phrases[i].say) {
            *say = phrases[i].say;
            *note = phrases[i].note;
            s->say &= (uint8_t)~phrases[i].say;
            if (*say == TLS_SAY_ALERT) {
                note->bytes[1] = (char)s->alert;
            }
            return true;
        }
    }
    return false;
}

static _Thread_local uint64_t update_count[TLS_DIRECTION_COUNT];

uint64_t tls_key_update_count(enum tls_direction direction)
{
    return update_count[direction];
}

static int next_keys(struct tls_session *s, enum tls_direction direction)
{
    int err = record_update(&s->sides[direction]);
    update_count[direction] += err == 0;
    return err;
}

/* Our next keys come into force with the record behind the KeyUpdate. */
static int utter(struct tls_session *s)
{
    struct record_side *side = &s->sides[TLS_OUT];
    struct tls_note note;
    uint8_t say;
    int err = 0;
    while (err == 0 && next_phrase(s, &say, &note)) {
        err = record_seal(side, note.type, slice_make(note.bytes, note.len), RECORD_PLAIN_MAX,
                          s->out);
        if (err == 0 && (say & SAY_UPDATES)) {
            err = next_keys(s, TLS_OUT);
        }
    }
    return err;
}

static bool can_renew(const struct record_side *side)
{
    return side->keys.version == TLS_VERSION_1_3 && side->keys.secret_len > 0;
}

int tls_say(struct tls_session *s, enum tls_say what)
{
    bool is_kernel = s->path[TLS_OUT] == TLS_PATH_KERNEL;
    if (what != 0 && s->is_said_bye) {
        return 0; /* nothing may follow */
    }
    /* One answer does for several requests that wait for it (RFC 8446 4.6.3). */
    if ((what & SAY_UPDATES) && ((s->say & SAY_UPDATES) || s->is_due[TLS_OUT])) {
        what &= ~SAY_UPDATES;
    }
    if (is_kernel && (what & SAY_UPDATES)) {
        int err = next_keys(s, TLS_OUT);
        if (err != 0) {
            return err;
        }
        s->is_due[TLS_OUT] = true;
    }
    s->say |= (uint8_t)what;
    s->is_said_bye = s->is_said_bye || (what & SAY_LAST);
    return is_kernel || !s->out ? 0 : utter(s);
}

int tls_raise(struct tls_session *s)
{
    if (s->err == ERR_TLS_REKEY) {
        return s->err; /* our own direction is as good as before: the owner ends it in order */
    }
    if (s->alert != 0 && s->path[TLS_OUT] != TLS_PATH_LIBRARY) {
        (void)tls_say(s, TLS_SAY_ALERT); /* where it cannot be sent, the end must do */
    }
    return tls_fail(s, ERR_TLS_RECORD, "record not readable");
}

/* Once while we are silent (RFC 8446 4.6.3): who asks again and again and reads nothing would else
 * have us keep all the answers. */
static int answer(struct tls_session *s, enum tls_say what)
{
    if (s->has_answered) {
        return 0;
    }
    s->has_answered = true;
    return tls_say(s, what);
}

/* Answers a KeyUpdate of the peer. */
static int follow(struct tls_session *s, bool is_asked)
{
    int err = next_keys(s, TLS_IN);
    if (err == ERR_UNSUPPORTED) {
        return tls_note_error(s, ERR_TLS_REKEY,
                              "the peer has changed its keys, and %s of this build does not give "
                              "out what is needed to follow",
                              s->backend->name);
    }
    s->has_asked = false;
    s->is_due[TLS_IN] = s->path[TLS_IN] == TLS_PATH_KERNEL;
    if (err == 0 && is_asked) {
        err = answer(s, TLS_SAY_KEY_UPDATE);
    }
    if (err == ERR_UNSUPPORTED) {
        return tls_note_error(s, ERR_TLS_REKEY,
                              "the peer wants our keys changed, and the kernel that has them does "
                              "not take new ones");
    }
    return err == 0 ? 0 : tls_note_error(s, err, "keys not changed: %s", err_text(err));
}

/* Content of a record of another type than application data. */
static int control(struct tls_session *s, uint8_t type, struct slice content)
{
    uint8_t alert = 0;
    enum control_event event = control_feed(&s->control, type, content, &alert);
    switch (event) {
    case CONTROL_NOTHING:
        return 0;
    case CONTROL_CLOSED:
        return ERR_CLOSED;
    case CONTROL_UPDATE:
    case CONTROL_UPDATE_BOTH:
        return follow(s, event == CONTROL_UPDATE_BOTH);
    case CONTROL_REFUSE: {
        int err = answer(s, TLS_SAY_NO_RENEGOTIATION);
        return err == 0 ? 0 : tls_note_error(s, err, "alert not writable: %s", err_text(err));
    }
    case CONTROL_ALERT:
        return tls_note_error(s, ERR_TLS_ALERT, "the peer sent the alert %s (%d)",
                              tls_alert_name(alert), alert);
    case CONTROL_BAD:
        break;
    }
    s->alert = alert;
    return tls_note_error(s, ERR_TLS_RECORD,
                          "a record of type %u that may not come here, or is malformed, or is one "
                          "of too many (%s)",
                          type, tls_alert_name(alert));
}

static int data(struct tls_session *s, struct slice text)
{
    if (!control_is_at_border(&s->control) ||
        (text.len == 0 && !control_quiet(&s->control))) {
        s->alert = TLS_ALERT_UNEXPECTED_MESSAGE;
        return tls_note_error(s, ERR_TLS_RECORD, "application data in the middle of another "
                                                 "message, or too many records without any");
    }
    if (text.len > 0) {
        control_data(&s->control);
    }
    return 0;
}

/* A peer whose key is used up is asked to take another; ours is changed when we seal. */
static int ask_if_worn(struct tls_session *s)
{
    const struct record_side *side = &s->sides[TLS_IN];
    if (LIKELY(!record_is_worn(side)) || s->has_asked || !can_renew(side) ||
        !can_renew(&s->sides[TLS_OUT])) {
        return 0;
    }
    s->has_asked = true;
    return tls_say(s, TLS_SAY_KEY_UPDATE_ASK);
}

int tls_user_open(struct tls_session *s, char *record, size_t len, struct slice *plain)
{
    uint8_t type;
    struct slice content;
    *plain = SLICE_NONE;
    int err = record_open(&s->sides[TLS_IN], record, len, &type, &content, &s->alert);
    if (err != 0) {
        return tls_note_error(s, err, "record not readable (%s)", tls_alert_name(s->alert));
    }
    bool is_data = type == RECORD_APPLICATION_DATA;
    err = is_data ? data(s, content) : control(s, type, content);
    if (err == 0 && is_data) {
        *plain = content;
    }
    return err == 0 ? ask_if_worn(s) : err;
}

int tls_user_seal(struct tls_session *s, struct slice plain, size_t record_bytes)
{
    struct record_side *side = &s->sides[TLS_OUT];
    s->has_answered = false;
    if (UNLIKELY(record_is_worn(side)) && can_renew(side)) {
        int err = tls_say(s, TLS_SAY_KEY_UPDATE);
        if (err != 0) {
            return err;
        }
    }
    return record_seal(side, RECORD_APPLICATION_DATA, plain, record_bytes, s->out);
}

bool tls_session_is_worn(const struct tls_session *s)
{
    for (uint32_t i = 0; i < TLS_DIRECTION_COUNT; i++) {
        if (s->path[i] != TLS_PATH_LIBRARY && record_is_worn(&s->sides[i]) &&
            !can_renew(&s->sides[i])) {
            return true;
        }
    }
    return false;
}

/* --- the kernel's part --- */

const struct tls_keys *tls_session_keys(const struct tls_session *s, enum tls_direction direction)
{
    bool has_keys = tls_session_path(s, direction) == TLS_PATH_USER ||
                    tls_session_wants_rekey(s, direction);
    return has_keys ? &s->sides[direction].keys : NULL;
}

void tls_session_to_kernel(struct tls_session *s, enum tls_direction direction, bool can_rekey)
{
    ASSERT(tls_session_path(s, direction) != TLS_PATH_LIBRARY);
    struct record_side *side = &s->sides[direction];
    record_rest(side);
    explicit_bzero(side->keys.key, sizeof(side->keys.key));
    explicit_bzero(side->keys.iv, sizeof(side->keys.iv));
    if (!can_rekey) {
        explicit_bzero(side->keys.secret, sizeof(side->keys.secret));
        side->keys.secret_len = 0;
    }
    s->path[direction] = TLS_PATH_KERNEL;
    s->is_due[direction] = false;
}

bool tls_session_wants_rekey(const struct tls_session *s, enum tls_direction direction)
{
    ASSERT(s->magic == TLS_SESSION_MAGIC && direction < TLS_DIRECTION_COUNT);
    return s->is_due[direction];
}

int tls_session_control(struct tls_session *s, uint8_t type, struct slice content)
{
    ASSERT(tls_session_path(s, TLS_IN) == TLS_PATH_KERNEL);
    if (s->state != TLS_STATE_OPEN) {
        return s->state == TLS_STATE_PEER_CLOSED ? ERR_CLOSED : s->err;
    }
    int err = s->is_failing ? s->err : control(s, type, content);
    if (err == ERR_CLOSED) {
        tls_set_state(s, TLS_STATE_PEER_CLOSED);
    } else if (err != 0) {
        s->is_failing = true;
        err = tls_raise(s);
    }
    return err;
}

int tls_session_count(struct tls_session *s, enum tls_direction direction, uint64_t records)
{
    ASSERT(tls_session_path(s, direction) == TLS_PATH_KERNEL);
    struct record_side *side = &s->sides[direction];
    side->count += records;
    if (records == 0) {
        return 0;
    }
    if (direction == TLS_IN && !control_is_at_border(&s->control)) {
        s->alert = TLS_ALERT_UNEXPECTED_MESSAGE;
        s->is_failing = true;
        (void)tls_note_error(s, ERR_TLS_RECORD,
                             "application data in the middle of another message");
        return tls_raise(s);
    }
    if (direction == TLS_IN) {
        control_data(&s->control);
        (void)ask_if_worn(s); /* without memory: with the next ones */
        return 0;
    }
    s->has_answered = false;
    if (record_is_worn(side) && can_renew(side)) {
        (void)tls_say(s, TLS_SAY_KEY_UPDATE);
    }
    return record_is_spent(side) ? ERR_TLS_WORN : 0;
}

bool tls_session_note(struct tls_session *s, struct tls_note *note)
{
    uint8_t say;
    return tls_session_path(s, TLS_OUT) == TLS_PATH_KERNEL && next_phrase(s, &say, note);
}
