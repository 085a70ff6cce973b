# SPDX-License-Identifier: GPL-2.0-or-later
fg_unit(ctl_edit NEEDS fg_ctl SOURCES unit/ctl/diff_test.c unit/ctl/save_test.c)
fg_unit(export_import SOURCES unit/import/identity_test.c NEEDS fg_import)
