# SPDX-License-Identifier: GPL-2.0-or-later
fg_unit(store_lite SOURCES unit/store/lite_test.c unit/store/help.c NEEDS fg_store)
