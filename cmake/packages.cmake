# SPDX-License-Identifier: GPL-2.0-or-later
# Third-party libraries. Each is linked by exactly one room; a missing one names its Debian package.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

function(fg_need target module debian_package)
  pkg_check_modules(${target} IMPORTED_TARGET GLOBAL ${module})
  if(NOT ${target}_FOUND)
    message(FATAL_ERROR "fedgate needs ${module}: install the Debian package ${debian_package}")
  endif()
endfunction()

# For libraries whose Debian package brings no .pc file.
function(fg_need_plain target header library debian_package)
  find_path(${target}_INCLUDE ${header})
  find_library(${target}_LIBRARY ${library})
  if(NOT ${target}_INCLUDE OR NOT ${target}_LIBRARY)
    message(FATAL_ERROR "fedgate needs ${header}: install the Debian package ${debian_package}")
  endif()
  add_library(PkgConfig::${target} INTERFACE IMPORTED GLOBAL)
  target_include_directories(PkgConfig::${target} SYSTEM INTERFACE ${${target}_INCLUDE})
  target_link_libraries(PkgConfig::${target} INTERFACE ${${target}_LIBRARY} ${ARGN})
endfunction()

fg_need(URING liburing liburing-dev)
fg_need(CARES libcares libc-ares-dev)
fg_need(YAJL yajl libyajl-dev)
fg_need(IDN libidn libidn-dev)
fg_need(MICROHTTPD libmicrohttpd libmicrohttpd-dev)
fg_need(SQLITE sqlite3 libsqlite3-dev)
fg_need_plain(MBEDCRYPTO mbedtls/aes.h mbedcrypto libmbedtls-dev)
fg_need_plain(MBEDX509 mbedtls/x509.h mbedx509 libmbedtls-dev ${MBEDCRYPTO_LIBRARY})
fg_need_plain(MBEDTLS mbedtls/ssl.h mbedtls libmbedtls-dev
  ${MBEDX509_LIBRARY} ${MBEDCRYPTO_LIBRARY})
include(${CMAKE_CURRENT_LIST_DIR}/wolfssl.cmake)
