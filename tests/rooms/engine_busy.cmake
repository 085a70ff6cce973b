# SPDX-License-Identifier: GPL-2.0-or-later
# The engine's tests once more with shards that spin before they sleep (node.busy_poll_us).
fg_threads_test(engine_busy SOURCES unit/engine/busy_test.c ${machine}
  NEEDS fg_engine Threads::Threads)
if(FEDGATE_TESTS)
  foreach(name IN ITEMS conn mailbox move shard snapshot tls turn)
    # tests/run builds NAME_test of the tests NAME that it chooses.
    add_custom_target(engine_${name}_busy_test DEPENDS engine_${name}_test)
    if(FEDGATE_SANITIZE MATCHES thread)
      add_test(NAME engine_${name}_busy COMMAND engine_${name}_test)
    else()
      add_test(NAME engine_${name}_busy COMMAND engine_${name}_test --jobs 2)
    endif()
    set_tests_properties(engine_${name}_busy PROPERTIES LABELS "unit;threads" TIMEOUT 400
      ENVIRONMENT FEDGATE_TEST_BUSY_POLL=1000)
  endforeach()
endif()
