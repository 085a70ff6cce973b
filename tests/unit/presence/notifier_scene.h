/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notifier_scene: what each file of the notifier's tests begins with: the fixture and one of bob's
 * devices, anew for every test: TestSuite(x, .init = setup, .fini = teardown). For these only. */
#ifndef FG_TEST_NOTIFIER_SCENE_H
#define FG_TEST_NOTIFIER_SCENE_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "notifier_help.h"

static struct fixture f;
static struct device phone;

static void setup(void)
{
    phone = (struct device){.call_id = "phone", .cseq = 1};
    scene_start(&f);
}

static void teardown(void)
{
    scene_stop(&f);
}

#endif
