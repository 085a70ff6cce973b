# SPDX-License-Identifier: GPL-2.0-or-later
fg_unit(base NEEDS fg_base SOURCES
  unit/base/buf_test.c unit/base/heap_test.c unit/base/jout_test.c unit/base/log_test.c
  unit/base/map_test.c unit/base/parcel_test.c unit/base/pool_test.c unit/base/slab_test.c
  unit/base/text_test.c unit/base/wheel_test.c)
