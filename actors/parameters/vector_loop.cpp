#include "actors/parameters/vector_loop.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace gradmesh::parameters {

namespace {

#if defined(__x86_64__)
/// Not every compiler that we use knows its name in `__builtin_cpu_supports`.
bool has_f16c() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}
#endif

instruction_set detect() {
#if defined(__x86_64__)
  const bool has_avx2 = __builtin_cpu_supports("avx2") && has_f16c();
  if (has_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
    return instruction_set::avx512;
  if (has_avx2) return instruction_set::avx2;
#endif
  return instruction_set::portable;
}

} // namespace

std::string_view to_string(instruction_set set) {
  switch (set) {
  case instruction_set::portable:
    return "portable";
  case instruction_set::avx2:
    return "avx2";
  case instruction_set::avx512:
    return "avx512";
  }
  return "unknown";
}

instruction_set best_instruction_set() {
  static const auto best = detect();
  return best;
}

std::vector<instruction_set> supported_instruction_sets() {
  std::vector<instruction_set> sets;
  for (const auto set : {instruction_set::portable, instruction_set::avx2, instruction_set::avx512})
    if (set <= best_instruction_set()) sets.push_back(set);
  return sets;
}

} // namespace gradmesh::parameters
