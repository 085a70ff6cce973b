# SPDX-License-Identifier: GPL-2.0-or-later
fg_unit(engine_dial TIMEOUT 240
  SOURCES unit/engine/dial_test.c unit/engine/name_server.c
    ${CMAKE_CURRENT_SOURCE_DIR}/unit/engine/machine.c
  NEEDS fg_engine Threads::Threads)
