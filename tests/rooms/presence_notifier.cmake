# SPDX-License-Identifier: GPL-2.0-or-later
# The notifier: its table cell by cell, dialogs, notifications, rows.
set(presence_notifier_help unit/presence/notifier_help.c unit/presence/fixture.c)

fg_unit(presence_notifier NEEDS fg_presence
  SOURCES unit/presence/notifier_dialog_test.c unit/presence/notifier_notify_test.c
  unit/presence/notifier_row_test.c unit/presence/notifier_table_test.c
  ${presence_notifier_help})
