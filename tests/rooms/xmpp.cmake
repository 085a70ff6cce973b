# SPDX-License-Identifier: GPL-2.0-or-later
# The stream machines of the xmpp room. Crypto comes from a real backend: the vectors are real.
set(xmpp_kit unit/xmpp/rig.c)
set(xmpp_needs fg_xmpp fg_xml fg_tls fg_base)

fg_unit(xmpp_stream_in SOURCES unit/xmpp/stream_in_test.c ${xmpp_kit} NEEDS ${xmpp_needs})
fg_unit(xmpp_stream_in_life SOURCES unit/xmpp/stream_in_life_test.c ${xmpp_kit} NEEDS ${xmpp_needs})
fg_unit(xmpp_stream_out SOURCES unit/xmpp/stream_out_test.c ${xmpp_kit} NEEDS ${xmpp_needs})
fg_unit(xmpp_stream_out_pairs SOURCES unit/xmpp/stream_out_pairs_test.c ${xmpp_kit}
        NEEDS ${xmpp_needs})
fg_unit(xmpp_stream_out_life SOURCES unit/xmpp/stream_out_life_test.c ${xmpp_kit}
        NEEDS ${xmpp_needs})
fg_unit(xmpp_review SOURCES unit/xmpp/review_test.c ${xmpp_kit} NEEDS ${xmpp_needs})
fg_unit(xmpp_dialback SOURCES unit/xmpp/dialback_test.c ${xmpp_kit} NEEDS ${xmpp_needs})
# The negotiation table is policy's; the streams must do what it says.
fg_unit(xmpp_both SOURCES unit/xmpp/both_test.c ${xmpp_kit} NEEDS ${xmpp_needs} fg_policy)
fg_unit(xmpp_security_identity SOURCES unit/xmpp/security_identity_test.c ${xmpp_kit}
        NEEDS ${xmpp_needs})
fg_unit(xmpp_security_tls SOURCES unit/xmpp/security_tls_test.c ${xmpp_kit} NEEDS ${xmpp_needs})
fg_unit(xmpp_security_xml SOURCES unit/xmpp/security_xml_test.c ${xmpp_kit} NEEDS ${xmpp_needs})
fg_unit(xmpp_stanza SOURCES unit/xmpp/stanza_test.c NEEDS fg_xmpp fg_xml fg_base)
fg_unit(xmpp_component SOURCES unit/xmpp/component_test.c NEEDS ${xmpp_needs})
fg_unit(xmpp_states SOURCES unit/xmpp/states_test.c NEEDS ${xmpp_needs})
if(TARGET xmpp_states_test)
  target_compile_definitions(xmpp_states_test PRIVATE
    XMPP_README="${PROJECT_SOURCE_DIR}/proto/xmpp/README.md")
endif()

fg_fuzz(stream_in SOURCES fuzz/stream_in_fuzz.c NEEDS fg_xmpp fg_xml fg_base)
fg_fuzz(stream_out SOURCES fuzz/stream_out_fuzz.c NEEDS fg_xmpp fg_xml fg_base)
fg_fuzz(review SOURCES fuzz/review_fuzz.c NEEDS fg_xmpp fg_xml fg_base)
fg_fuzz(dialback SOURCES fuzz/dialback_fuzz.c NEEDS fg_xmpp fg_xml fg_base)
fg_fuzz(stanza SOURCES fuzz/stanza_fuzz.c NEEDS fg_xmpp fg_xml fg_base)
fg_fuzz(component SOURCES fuzz/component_fuzz.c NEEDS fg_xmpp fg_xml fg_base)
