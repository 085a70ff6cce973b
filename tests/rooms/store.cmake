# SPDX-License-Identifier: GPL-2.0-or-later
# fg_threads_test: tests/rooms/engine.cmake, which comes before this file.
set(store_help unit/store/help.c unit/store/fake.c)
fg_threads_test(store_queue SOURCES unit/store/queue_test.c NEEDS fg_store)
fg_threads_test(store SOURCES unit/store/store_test.c ${store_help} NEEDS fg_store)
fg_threads_test(store_failing SOURCES unit/store/failing_test.c ${store_help} NEEDS fg_store)
fg_threads_test(store_lite SOURCES unit/store/lite_test.c ${store_help} NEEDS fg_store)
fg_unit(store_damage SOURCES unit/store/damage_test.c ${store_help}
  NEEDS fg_store PkgConfig::SQLITE)
fg_unit(store_fault SOURCES unit/store/fault_test.c unit/store/fault_vfs.c ${store_help}
  NEEDS fg_store PkgConfig::SQLITE)
fg_unit(store_crash TIMEOUT 600 SOURCES unit/store/crash_test.c ${store_help} NEEDS fg_store)
fg_unit(store_migrate SOURCES unit/store/migrate_test.c ${store_help}
  NEEDS fg_store PkgConfig::SQLITE)
fg_fuzz(store_file SOURCES fuzz/store_file_fuzz.c NEEDS fg_store)
