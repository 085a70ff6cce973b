# SPDX-License-Identifier: GPL-2.0-or-later
fg_unit(io SOURCES unit/io/io_test.c unit/io/ktls_test.c
  NEEDS fg_io PkgConfig::URING Threads::Threads)
