/* SPDX-License-Identifier: GPL-2.0-or-later */
/* attr: compiler attributes and small compile-time helpers. No code. */
#ifndef FG_BASE_ATTR_H
#define FG_BASE_ATTR_H

#include <stddef.h>

#define NODISCARD __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt_idx, arg_idx) __attribute__((format(printf, fmt_idx, arg_idx)))
#define COLD __attribute__((cold))
/* For a slow path with a large frame, which its fast caller must not pay for. */
#define NOINLINE __attribute__((noinline))
/* For big arrays that are filled as far as they are used, where the compiler's zeroing of them (see
 * cmake/flags) would cost more than the work. */
#define UNINITIALIZED __attribute__((uninitialized))
/* The cache line is wanted soon. */
#define PREFETCH(ptr) __builtin_prefetch(ptr)
/* Between two looks at memory that another core writes. */
#if defined(__x86_64__) || defined(__i386__)
#define CPU_RELAX() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define CPU_RELAX() __asm__ volatile("yield" ::: "memory")
#else
#define CPU_RELAX() __asm__ volatile("" ::: "memory")
#endif
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

#define ARRAY_COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define STATIC_ASSERT(cond, why) _Static_assert(cond, why)
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#endif
