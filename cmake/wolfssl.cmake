# SPDX-License-Identifier: GPL-2.0-or-later
# PkgConfig::WOLFSSL: the production build of deploy/wolfssl, or the library of the distribution.
# Whoever links it gets FG_WOLFSSL_BUILD ("production", "distribution"): that is tls/ only.
set(FEDGATE_WOLFSSL auto CACHE STRING
  "production, distribution, auto (production where built), or a prefix of deploy/wolfssl/build")

# The library under prefix, with its own headers and no others.
function(fg_wolfssl_production prefix)
  set(headers ${prefix}/include/wolfssl)
  if(NOT EXISTS ${prefix}/fedgate-recipe OR NOT EXISTS ${headers}/options.h)
    message(FATAL_ERROR "FEDGATE_WOLFSSL=${FEDGATE_WOLFSSL}: no production wolfSSL in ${prefix}: "
      "run deploy/wolfssl/build (a minute)")
  endif()
  # Its directory is searched before /usr/include. A header that only the distribution has would
  # still be found there, compiled for another library: then nothing may be built.
  file(GLOB_RECURSE ours RELATIVE ${headers} ${headers}/*.h)
  file(GLOB_RECURSE theirs RELATIVE /usr/include/wolfssl /usr/include/wolfssl/*.h)
  if(theirs)
    list(REMOVE_ITEM theirs ${ours})
  endif()
  if(theirs)
    message(FATAL_ERROR "headers of the distribution's wolfSSL that ${prefix} lacks: ${theirs}: "
      "the two would mix; use FEDGATE_WOLFSSL=distribution")
  endif()
  file(READ ${prefix}/fedgate-recipe recipe)
  string(REGEX REPLACE "^[^ ]+ ([^\n]*).*" "\\1" version "${recipe}")
  message(STATUS "wolfSSL: production build of ${version}, ${prefix}")
  add_library(PkgConfig::WOLFSSL INTERFACE IMPORTED GLOBAL)
  target_include_directories(PkgConfig::WOLFSSL SYSTEM BEFORE INTERFACE ${prefix}/include)
  target_link_libraries(PkgConfig::WOLFSSL INTERFACE ${prefix}/lib/libwolfssl.a m Threads::Threads)
  target_compile_definitions(PkgConfig::WOLFSSL INTERFACE FG_WOLFSSL_BUILD="production")
endfunction()

function(fg_wolfssl_distribution)
  fg_need(WOLFSSL wolfssl libwolfssl-dev)
  message(STATUS "wolfSSL: the distribution's ${WOLFSSL_VERSION}, without assembler code "
    "(deploy/wolfssl/build makes the production build)")
  target_compile_definitions(PkgConfig::WOLFSSL INTERFACE FG_WOLFSSL_BUILD="distribution")
endfunction()

# The link, not what it points to: a rebuilt library changes the time of a file that is depended on.
set(wolfssl_built ${CMAKE_SOURCE_DIR}/build/deps/wolfssl)
if(FEDGATE_WOLFSSL STREQUAL "distribution")
  fg_wolfssl_distribution()
elseif(FEDGATE_WOLFSSL STREQUAL "production")
  fg_wolfssl_production(${wolfssl_built})
elseif(NOT FEDGATE_WOLFSSL STREQUAL "auto")
  fg_wolfssl_production(${FEDGATE_WOLFSSL})
elseif(EXISTS ${wolfssl_built}/fedgate-recipe)
  fg_wolfssl_production(${wolfssl_built})
else()
  fg_wolfssl_distribution()
endif()
