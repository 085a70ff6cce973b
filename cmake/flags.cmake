# SPDX-License-Identifier: GPL-2.0-or-later
# Warnings and hardening, as one INTERFACE target that every room links (STYLE: build).
add_library(fg_flags INTERFACE)

target_compile_options(fg_flags INTERFACE
  -Wall -Wextra -Wshadow -Wvla -Wundef -Wformat=2 -Wconversion -Wstrict-prototypes
  -Wmissing-prototypes -Wold-style-definition -Wpointer-arith -Wcast-qual -Wcast-align
  -Wwrite-strings -Wswitch-enum -Wimplicit-fallthrough -Wdouble-promotion
  -fno-strict-aliasing -fno-common)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  target_compile_options(fg_flags INTERFACE
    -Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wnull-dereference)
elseif(CMAKE_C_COMPILER_ID MATCHES "Clang")
  target_compile_options(fg_flags INTERFACE -Wshorten-64-to-32 -Watomic-implicit-seq-cst)
endif()
if(FEDGATE_WERROR)
  target_compile_options(fg_flags INTERFACE -Werror)
endif()

target_compile_definitions(fg_flags INTERFACE _GNU_SOURCE
  FEDGATE_VERSION="${PROJECT_VERSION}")
if(FEDGATE_DASSERT)
  target_compile_definitions(fg_flags INTERFACE FEDGATE_DASSERT=1)
endif()

if(FEDGATE_FUZZ)
  target_compile_options(fg_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(FEDGATE_SANITIZE)
  target_compile_options(fg_flags INTERFACE
    -fsanitize=${FEDGATE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(fg_flags INTERFACE -fsanitize=${FEDGATE_SANITIZE})
  target_compile_definitions(fg_flags INTERFACE FEDGATE_SANITIZED=1)
else()
  # Hardening of what is shipped. _FORTIFY_SOURCE needs optimisation, so not in -Og/-O0 builds.
  target_compile_options(fg_flags INTERFACE
    -fstack-protector-strong -fstack-clash-protection -fcf-protection
    -ftrivial-auto-var-init=zero
    $<$<CONFIG:Release,RelWithDebInfo>:-U_FORTIFY_SOURCE>
    $<$<CONFIG:Release,RelWithDebInfo>:-D_FORTIFY_SOURCE=3>)
  target_link_options(fg_flags INTERFACE -Wl,-z,relro,-z,now)
endif()
