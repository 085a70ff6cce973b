# SPDX-License-Identifier: GPL-2.0-or-later
fg_unit(edge NEEDS fg_edge SOURCES
  unit/edge/again_test.c unit/edge/ask_test.c unit/edge/block_test.c unit/edge/body_log_test.c
  unit/edge/flow_test.c unit/edge/judge_test.c unit/edge/place_test.c
  unit/edge/presence_mails_test.c unit/edge/rate_test.c unit/edge/reach_test.c
  unit/edge/refusal_log_test.c unit/edge/report_presence_test.c unit/edge/report_test.c
  unit/edge/route_id_test.c unit/edge/sip_own_test.c unit/edge/store_rows_test.c
  unit/edge/way_test.c unit/policy/help.c)
if(TARGET edge_test)
  target_include_directories(edge_test PRIVATE unit/policy)
endif()

# SUBSCRIBE and NOTIFY of the SIP leg, on a ground of their own: its objects are linked before the
# library, which then does not contribute its own.
fg_unit(edge_sip_request NEEDS fg_edge SOURCES
  unit/edge/sip_request_test.c unit/edge/sip_ground.c)
fg_unit(edge_sip_events NEEDS fg_edge SOURCES
  unit/edge/sip_events_test.c unit/edge/sip_events_play.c)
fg_fuzz(sip_events NEEDS fg_edge SOURCES fuzz/sip_events_fuzz.c unit/edge/sip_events_play.c)
if(TARGET sip_events_fuzz)
  target_include_directories(sip_events_fuzz PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/unit/edge)
endif()
