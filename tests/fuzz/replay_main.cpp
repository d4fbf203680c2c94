/// Runs a fuzz target without libFuzzer: all seeds, then random mutations of them.
///
///   fuzz_NAME [--rounds N] [--seconds T] [--seed S]
///       N rounds (2,000) at least, and T seconds (1) at least; without a seed one is drawn
///   fuzz_NAME FILE...
///       these inputs, as libFuzzer saves them
///
/// Exit status 1 when the decoder refuses a seed of its own or no mutation at all: such a target
/// would look at nothing. Whatever a decoder does wrong ends the process, and the last line names
/// the input.

#include "tests/fuzz/mutation.hpp"
#include "tests/fuzz/target.hpp"

#include <algorithm>
#include <chrono>
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

struct options {
  std::uint64_t rounds = 2'000;
  std::uint64_t seconds = 1;
  std::uint64_t seed = 0; // none: drawn
  std::vector<std::string> files;
};

options parse(const std::vector<std::string>& arguments) {
  options parsed;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto number = [&](const char* name, std::uint64_t& value) {
      if (arguments[i] != name || i + 1 == arguments.size()) return false;
      value = std::strtoull(arguments[++i].c_str(), nullptr, 10);
      return true;
    };
    if (!number("--rounds", parsed.rounds) && !number("--seconds", parsed.seconds) &&
        !number("--seed", parsed.seed))
      parsed.files.push_back(arguments[i]);
  }
  if (parsed.seed == 0) parsed.seed = std::random_device{}();
  return parsed;
}

int run_mutations(const options& asked) {
  current.seed = asked.seed;
  const auto known = seeds();
  for (std::size_t i = 0; i < known.size(); ++i)
    if (!run_one(known[i])) {
      std::fprintf(stderr, "fuzz: the target refuses its own seed %zu\n", i);
      return 1;
    }
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(asked.seconds);
  env::random_stream random(asked.seed);
  std::uint64_t taken = 0;
  std::uint64_t round = 0;
  while (round < asked.rounds || std::chrono::steady_clock::now() < end) {
    current.round = ++round;
    if (run_one(mutate(known, random))) ++taken;
  }
  std::printf("fuzz: --seed %llu: %zu seeds and %llu mutations, %llu of these taken\n",
              static_cast<unsigned long long>(asked.seed), known.size(),
              static_cast<unsigned long long>(round), static_cast<unsigned long long>(taken));
  if (round > 0 && (taken == 0 || taken == round)) {
    std::fprintf(stderr, "fuzz: every input had the same outcome\n");
    return 1;
  }
  return 0;
}

int run(const std::vector<std::string>& arguments) {
  listen_to_death();
  const auto asked = parse(arguments);
  return asked.files.empty() ? run_mutations(asked) : run_files(asked.files);
}

} // namespace
} // namespace gradmesh::fuzz

int main(int argc, char** argv) {
  return gradmesh::fuzz::run({argv + 1, argv + argc});
}
