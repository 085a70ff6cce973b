# SPDX-License-Identifier: GPL-2.0-or-later
fg_unit(ctl_edit NEEDS fg_ctl SOURCES unit/ctl/save_test.c)
