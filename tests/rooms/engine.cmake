# SPDX-License-Identifier: GPL-2.0-or-later
set(machine ${CMAKE_CURRENT_SOURCE_DIR}/unit/engine/machine.c)
fg_unit(engine_conn
  SOURCES unit/engine/conn_test.c ${machine}
  NEEDS fg_engine Threads::Threads)
