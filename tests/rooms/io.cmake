# SPDX-License-Identifier: GPL-2.0-or-later
set(io_tests unit/io/io_recv_test.c unit/io/io_op_test.c unit/io/io_setup_test.c
  unit/io/io_spin_test.c unit/io/io_rig.c unit/io/ktls_test.c)
fg_unit(io SOURCES ${io_tests}
  NEEDS fg_io PkgConfig::URING Threads::Threads)
