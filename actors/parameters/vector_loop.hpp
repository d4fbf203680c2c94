#pragma once

/// Loops over floats that run with the widest vectors of the machine, and give the same bits on
/// every machine.
///
/// The body of a loop is compiled once for each instruction set and chosen when it runs. An
/// element's result depends on that element alone, each operation is rounded as IEEE 754 says, and
/// this room is compiled without contraction to fused multiply-add: so the sets differ in speed
/// only, and the tests compare their bits.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace gradmesh::parameters {

/// Ordered: a machine that has one has those below it. `avx2` is AVX2 and F16C, `avx512` is the F,
/// DQ, BW and VL parts of AVX-512.
enum class instruction_set : std::uint8_t { portable = 0, avx2 = 1, avx512 = 2 };

std::string_view to_string(instruction_set set);

/// The widest that this machine has.
instruction_set best_instruction_set();

/// All that this machine has, from `portable` up.
std::vector<instruction_set> supported_instruction_sets();

/// Marks the lambda that is a loop's body: `[=](std::size_t i) GRADMESH_LOOP_BODY { ... }`. It must
/// become a part of the loop, or it would be compiled for the portable set.
#define GRADMESH_LOOP_BODY __attribute__((always_inline))

#if defined(__clang__)
#define GRADMESH_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define GRADMESH_INDEPENDENT _Pragma("GCC ivdep")
#endif

#if defined(__x86_64__)
#define GRADMESH_AVX2 __attribute__((target("avx2")))
#define GRADMESH_AVX512 __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl")))
#endif

namespace loops {

template <class Body>
void portable(std::size_t n, const Body body) {
  GRADMESH_INDEPENDENT
  for (std::size_t i = 0; i < n; ++i)
    body(i);
}

/// Whether `body` gives a number other than 0 for some i. Reads four quarters side by side: what
/// another processor has just written comes up to 1.6 times as fast over several streams of
/// prefetching as over one.
template <class Body>
GRADMESH_LOOP_BODY inline bool any_in_quarters(std::size_t n, const Body& body) {
  const std::size_t quarter = n / 4;
  decltype(body(n)) found = 0;
  for (std::size_t i = 0; i < quarter; ++i)
    found |= body(i) | body(i + quarter) | body(i + 2 * quarter) | body(i + 3 * quarter);
  for (std::size_t i = 4 * quarter; i < n; ++i)
    found |= body(i);
  return found != 0;
}

template <class Body>
bool any_portable(std::size_t n, const Body body) {
  return any_in_quarters(n, body);
}

#if defined(__x86_64__)
template <class Body>
GRADMESH_AVX2 void avx2(std::size_t n, const Body body) {
  GRADMESH_INDEPENDENT
  for (std::size_t i = 0; i < n; ++i)
    body(i);
}

template <class Body>
GRADMESH_AVX512 void avx512(std::size_t n, const Body body) {
  GRADMESH_INDEPENDENT
  for (std::size_t i = 0; i < n; ++i)
    body(i);
}

template <class Body>
GRADMESH_AVX2 bool any_avx2(std::size_t n, const Body body) {
  return any_in_quarters(n, body);
}

template <class Body>
GRADMESH_AVX512 bool any_avx512(std::size_t n, const Body body) {
  return any_in_quarters(n, body);
}
#endif

} // namespace loops

/// Calls `body(i)` for all i below n, in no particular order: what one call writes, no other may
/// read.
template <class Body>
void for_each_index(instruction_set set, std::size_t n, const Body& body) {
#if defined(__x86_64__)
  if (set == instruction_set::avx512) return loops::avx512(n, body);
  if (set == instruction_set::avx2) return loops::avx2(n, body);
#endif
  (void)set;
  loops::portable(n, body);
}

/// Whether `body(i)`, an unsigned number as wide as what is looked at, differs from 0 for some i
/// below n. Has no early exit, so that it runs at the speed of memory.
template <class Body>
bool any_of_indices(instruction_set set, std::size_t n, const Body& body) {
#if defined(__x86_64__)
  if (set == instruction_set::avx512) return loops::any_avx512(n, body);
  if (set == instruction_set::avx2) return loops::any_avx2(n, body);
#endif
  (void)set;
  return loops::any_portable(n, body);
}

} // namespace gradmesh::parameters
