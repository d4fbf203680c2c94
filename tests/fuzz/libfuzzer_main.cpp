/// Runs a fuzz target under libFuzzer, which brings its own `main` and command line. One form is
/// ours:
///
///   fuzz_NAME --write-seeds DIR    writes the target's seeds into a corpus folder

#include "tests/fuzz/target.hpp"

#include <fstream>

using namespace gradmesh;

namespace {

int write_seeds(const std::string& directory) {
  int number = 0;
  for (const auto& seed : fuzz::seeds()) {
    const auto path = directory + "/seed-" + std::to_string(number++);
    std::ofstream out(path, std::ios::binary);
    out << seed;
    if (!out.flush()) {
      std::fprintf(stderr, "fuzz: cannot write %s\n", path.c_str());
      return 1;
    }
  }
  return 0;
}

} // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  if (*argc == 3 && std::string_view((*argv)[1]) == "--write-seeds")
    std::exit(write_seeds((*argv)[2]));
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t bytes) {
  (void)fuzz::accepts({reinterpret_cast<const char*>(data), bytes});
  return 0;
}
