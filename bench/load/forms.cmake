# SPDX-License-Identifier: GPL-2.0-or-later
# What is said, without who says it: of the load generator's parts those that micro-benchmarks use,
# and fuzzing where the rest is not built.
set(view ${CMAKE_BINARY_DIR}/rooms/load)
file(MAKE_DIRECTORY ${view})
file(CREATE_LINK ${CMAKE_CURRENT_LIST_DIR} ${view}/load SYMBOLIC)
set(forms dialog.c mix.c payload.c pidf.c plan.c show.c)
list(TRANSFORM forms PREPEND ${CMAKE_CURRENT_LIST_DIR}/)
add_library(fg_load_forms STATIC ${forms})
target_include_directories(fg_load_forms PUBLIC ${view})
target_link_libraries(fg_load_forms PUBLIC fg_base fg_xml fg_sip PRIVATE fg_flags)
