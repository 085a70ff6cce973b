# SPDX-License-Identifier: GPL-2.0-or-later
# The subscription machine of direction in, on the fixture of presence.cmake.
function(fg_subscriber_test name)
  fg_unit(presence_${name} NEEDS fg_presence SOURCES
    unit/presence/${name}_test.c unit/presence/subscriber_help.c unit/presence/fixture.c)
endfunction()

fg_subscriber_test(subscriber_cells)
fg_subscriber_test(subscriber_reasons)
fg_subscriber_test(subscriber_vectors)
