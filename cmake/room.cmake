# SPDX-License-Identifier: GPL-2.0-or-later
# fg_room(base DIR core/base SOURCES ... NEEDS fg_x ... LINKS third-party ...)
#
# Makes the library fg_<name>. Its headers are included as "<name>/x.h" through a directory that
# holds nothing but a link to this room, so a room can include only itself and what it NEEDS:
# the include rule of the architecture is enforced by the compiler, not by good will.
function(fg_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;NEEDS;LINKS" ${ARGN})
  set(view ${CMAKE_BINARY_DIR}/rooms/${name})
  file(MAKE_DIRECTORY ${view})
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${view}/${name} SYMBOLIC)
  if(ROOM_SOURCES)
    add_library(fg_${name} STATIC ${ROOM_SOURCES})
    target_include_directories(fg_${name} PUBLIC ${view})
    target_link_libraries(fg_${name} PUBLIC ${ROOM_NEEDS} PRIVATE fg_flags ${ROOM_LINKS})
  else()
    add_library(fg_${name} INTERFACE)
    target_include_directories(fg_${name} INTERFACE ${view})
    target_link_libraries(fg_${name} INTERFACE ${ROOM_NEEDS})
  endif()

  # Every header must compile alone.
  file(GLOB headers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.h)
  set(units "")
  foreach(header IN LISTS headers)
    get_filename_component(stem ${header} NAME_WE)
    set(unit ${CMAKE_BINARY_DIR}/rooms/alone/${name}_${stem}.c)
    file(CONFIGURE OUTPUT ${unit} CONTENT "#include \"${name}/${stem}.h\"\n")
    list(APPEND units ${unit})
  endforeach()
  if(units)
    add_library(fg_alone_${name} OBJECT EXCLUDE_FROM_ALL ${units})
    target_link_libraries(fg_alone_${name} PRIVATE fg_${name} fg_flags ${ROOM_LINKS})
    set_property(GLOBAL APPEND PROPERTY FG_ALONE fg_alone_${name})
  endif()
endfunction()
