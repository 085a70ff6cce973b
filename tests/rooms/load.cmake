# SPDX-License-Identifier: GPL-2.0-or-later
# The load generator (bench/load), where it is built.
if(TARGET fg_load)
  fg_unit(load_books SOURCES unit/load/books_test.c NEEDS fg_load Threads::Threads)
  fg_unit(load_books_states SOURCES unit/load/books_states_test.c NEEDS fg_load)
  fg_unit(load_dialog SOURCES unit/load/dialog_test.c NEEDS fg_load)
  fg_unit(load_histogram SOURCES unit/load/histogram_test.c NEEDS fg_load m)
  fg_unit(load_message SOURCES unit/load/message_test.c NEEDS fg_load)
  fg_unit(load_other SOURCES unit/load/other_test.c NEEDS fg_load)
  fg_unit(load_payload SOURCES unit/load/payload_test.c NEEDS fg_load)
  fg_unit(load_presence_forms SOURCES unit/load/presence_forms_test.c NEEDS fg_load)
  fg_unit(load_schedule SOURCES unit/load/schedule_test.c NEEDS fg_load)
  fg_fuzz(load_presence SOURCES fuzz/load_presence_fuzz.c NEEDS fg_load)
endif()
