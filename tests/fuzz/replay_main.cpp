/// Runs a fuzz target without libFuzzer: all seeds, then random mutations of them.
///
///   fuzz_NAME [--rounds N] [--seed S]    seed 0 or none: drawn anew
///   fuzz_NAME FILE...                    these inputs, as libFuzzer saves them
///
/// Exit status 1 when the decoder refuses a seed of its own or no mutation at all: such a target
/// would look at nothing. Whatever a decoder does wrong ends the process, and the last line names
/// the input.

#include "tests/fuzz/mutation.hpp"
#include "tests/fuzz/target.hpp"

#include <algorithm>
#include <csignal>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <unistd.h>

// Present where a sanitizer is linked in.
extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());

namespace gradmesh::fuzz {
namespace {

/// What runs now, for the last words.
struct {
  std::uint64_t seed = 0;
  volatile std::uint64_t round = 0;
} current;

void tell_input() {
  char line[160];
  const int length =
      std::snprintf(line, sizeof line,
                    "fuzz: the input was round %llu of --seed %llu (0: a seed of the "
                    "target or a file)\n",
                    static_cast<unsigned long long>(current.round),
                    static_cast<unsigned long long>(current.seed));
  (void)!write(STDERR_FILENO, line, static_cast<std::size_t>(length));
}

void on_signal(int number) {
  tell_input();
  std::signal(number, SIG_DFL);
  std::raise(number);
}

void listen_to_death() {
  if (&__sanitizer_set_death_callback != nullptr) {
    __sanitizer_set_death_callback(tell_input);
    std::signal(SIGABRT, on_signal); // broken promises; the sanitizers have the other signals
    return;
  }
  for (const int number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL})
    std::signal(number, on_signal);
}

bool run_one(const std::string& input) {
  // A block of its own, so that reading beyond the input is reading beyond the block.
  const std::unique_ptr<char[]> exact(new char[input.size()]);
  std::copy(input.begin(), input.end(), exact.get());
  return accepts({exact.get(), input.size()});
}

int run_files(const std::vector<std::string>& paths) {
  for (const auto& path : paths) {
    std::ifstream in(path, std::ios::binary);
    if (!in) {
      std::fprintf(stderr, "fuzz: cannot read %s\n", path.c_str());
      return 2;
    }
    const std::string input((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    std::printf("%s: %s\n", path.c_str(), run_one(input) ? "taken" : "refused");
  }
  return 0;
}

int run_mutations(std::uint64_t rounds, std::uint64_t seed) {
  current.seed = seed;
  std::printf("fuzz: %llu mutations, --seed %llu\n", static_cast<unsigned long long>(rounds),
              static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  const auto known = seeds();
  for (std::size_t i = 0; i < known.size(); ++i)
    if (!run_one(known[i])) {
      std::fprintf(stderr, "fuzz: the target refuses its own seed %zu\n", i);
      return 1;
    }
  env::random_stream random(seed);
  std::uint64_t taken = 0;
  for (std::uint64_t round = 1; round <= rounds; ++round) {
    current.round = round;
    if (run_one(mutate(known, random))) ++taken;
  }
  std::printf("fuzz: %llu taken, %llu refused\n", static_cast<unsigned long long>(taken),
              static_cast<unsigned long long>(rounds - taken));
  const bool looked_at_both = rounds == 0 || (taken > 0 && taken < rounds);
  if (!looked_at_both) std::fprintf(stderr, "fuzz: every input had the same outcome\n");
  return looked_at_both ? 0 : 1;
}

int run(const std::vector<std::string>& arguments) {
  listen_to_death();
  std::uint64_t rounds = 20'000;
  std::uint64_t seed = 0;
  std::vector<std::string> files;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const bool has_value = i + 1 < arguments.size();
    if (arguments[i] == "--rounds" && has_value)
      rounds = std::strtoull(arguments[++i].c_str(), nullptr, 10);
    else if (arguments[i] == "--seed" && has_value)
      seed = std::strtoull(arguments[++i].c_str(), nullptr, 10);
    else
      files.push_back(arguments[i]);
  }
  if (!files.empty()) return run_files(files);
  return run_mutations(rounds, seed != 0 ? seed : std::random_device{}());
}

} // namespace
} // namespace gradmesh::fuzz

int main(int argc, char** argv) {
  return gradmesh::fuzz::run({argv + 1, argv + argc});
}
