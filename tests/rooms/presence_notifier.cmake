# SPDX-License-Identifier: GPL-2.0-or-later
# The notifier: its table cell by cell, dialogs, notifications, rows, and random lives of a contact.
set(presence_notifier_help unit/presence/notifier_help.c ${presence_fixture})
set(presence_notifier_play unit/presence/notifier_play.c ${presence_notifier_help})

fg_unit(presence_notifier NEEDS fg_presence
  SOURCES unit/presence/notifier_dialog_test.c unit/presence/notifier_notify_test.c
  unit/presence/notifier_play_test.c unit/presence/notifier_reach_test.c
  unit/presence/notifier_row_test.c
  unit/presence/notifier_table_test.c ${presence_notifier_play})
fg_fuzz(notifier NEEDS fg_presence SOURCES fuzz/notifier_fuzz.c ${presence_notifier_play})
if(TARGET notifier_fuzz)
  target_include_directories(notifier_fuzz PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/unit/presence)
endif()
