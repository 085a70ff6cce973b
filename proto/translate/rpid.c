/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rpid: the tables. */
#include "translate/rpid.h"

#define ROW(text, show) {{(text), sizeof(text) - 1}, PRESENCE_SHOW_##show}

static const struct {
    struct slice token;
    enum presence_show show;
} tokens[] = {
    ROW("away", AWAY),
    ROW("busy", DND),
    ROW("on-the-phone", DND),
    ROW("meeting", DND),
    ROW("appointment", DND),
    ROW("presentation", DND),
    ROW("performance", DND),
    ROW("in-a-conference", DND),
    ROW("in-a-meeting", DND),
    ROW("urgent-interruptions-only", DND),
    ROW("do-not-disturb", DND),
    ROW("lunch", AWAY),
    ROW("meal", AWAY),
    ROW("breakfast", AWAY),
    ROW("dinner", AWAY),
    ROW("in-transit", AWAY),
    ROW("steering", AWAY),
    ROW("shopping", AWAY),
    ROW("spectator", AWAY),
    ROW("be-right-back", AWAY),
    ROW("Inactive", AWAY),
    ROW("vacation", XA),
    ROW("holiday", XA),
    ROW("travel", XA),
    ROW("permanent-absence", XA),
    ROW("sleeping", XA),
    ROW("out-of-office", XA),
    ROW("off-work", XA),
    ROW("working", AVAILABLE),
    ROW("looking-for-work", AVAILABLE),
    ROW("playing", AVAILABLE),
    ROW("tv", AVAILABLE),
    ROW("worship", AVAILABLE),
    ROW("other", AVAILABLE),
    ROW("unknown", AVAILABLE),
    ROW("Available", AVAILABLE),
};

bool rpid_show_of(struct slice token, enum presence_show *show)
{
    *show = PRESENCE_SHOW_AVAILABLE;
    for (size_t i = 0; i < ARRAY_COUNT(tokens); i++) {
        if (slice_eq_nocase(token, tokens[i].token)) {
            *show = tokens[i].show;
            return true;
        }
    }
    return false;
}

struct slice rpid_activity_of(enum presence_show show)
{
    switch (show) {
    case PRESENCE_SHOW_DND:
        return SLICE_LIT("busy");
    case PRESENCE_SHOW_AWAY:
    case PRESENCE_SHOW_XA:
        return SLICE_LIT("away");
    case PRESENCE_SHOW_CHAT:
    case PRESENCE_SHOW_AVAILABLE:
    case PRESENCE_SHOW_UNAVAILABLE:
    case PRESENCE_SHOW_COUNT:
        break;
    }
    return SLICE_NONE;
}

/* Each row is good up to the next one's first number. */
enum presence_show rpid_show_of_availability(uint64_t availability, struct slice token)
{
    static const struct {
        uint64_t first;
        enum presence_show show;
    } ranges[] = {
        {0, PRESENCE_SHOW_UNAVAILABLE},     /* not known */
        {3000, PRESENCE_SHOW_AVAILABLE},
        {4500, PRESENCE_SHOW_AWAY},         /* available, idle */
        {6000, PRESENCE_SHOW_DND},          /* busy */
        {7500, PRESENCE_SHOW_DND},          /* busy, idle */
        {9000, PRESENCE_SHOW_DND},          /* do not disturb */
        {12000, PRESENCE_SHOW_AWAY},        /* be right back */
        {15000, PRESENCE_SHOW_AWAY},
        {18000, PRESENCE_SHOW_UNAVAILABLE}, /* offline */
    };
    enum presence_show show = PRESENCE_SHOW_UNAVAILABLE;
    enum presence_show refined;

    for (size_t i = 0; i < ARRAY_COUNT(ranges) && ranges[i].first <= availability; i++) {
        show = ranges[i].show;
    }
    /* Away for a while, or for long. */
    if (show == PRESENCE_SHOW_AWAY && rpid_show_of(token, &refined) &&
        refined == PRESENCE_SHOW_XA) {
        return PRESENCE_SHOW_XA;
    }
    return show;
}
