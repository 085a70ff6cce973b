# SPDX-License-Identifier: GPL-2.0-or-later
fg_unit(translate NEEDS fg_translate SOURCES
  unit/translate/address_test.c unit/translate/error_test.c)
