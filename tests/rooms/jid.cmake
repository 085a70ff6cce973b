# SPDX-License-Identifier: GPL-2.0-or-later
fg_unit(jid SOURCES unit/xmpp/jid_test.c unit/xmpp/jid_plain_test.c unit/xmpp/jid_stable_test.c
        NEEDS fg_xmpp)
fg_fuzz(jid SOURCES fuzz/jid_fuzz.c NEEDS fg_xmpp)
if(TARGET jid_fuzz)
  target_include_directories(jid_fuzz PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/unit/xmpp)
endif()
