# SPDX-License-Identifier: GPL-2.0-or-later
fg_unit(import SOURCES unit/import/plan_test.c unit/import/read_test.c NEEDS fg_import)
fg_fuzz(clixml SOURCES fuzz/clixml_fuzz.c NEEDS fg_import)
fg_fuzz(import SOURCES fuzz/import_fuzz.c NEEDS fg_import)
