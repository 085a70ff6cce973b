# SPDX-License-Identifier: GPL-2.0-or-later
fg_unit(ctl_diagnose NEEDS fg_ctl SOURCES unit/ctl/diagnose_test.c)
fg_fuzz(diagnose SOURCES fuzz/diagnose_fuzz.c NEEDS fg_ctl)
