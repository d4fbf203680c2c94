#pragma once

/// A fuzz target: one decoder of bytes that come from outside. Each .cpp of a target defines the
/// two functions below; two programs drive them: libFuzzer, which looks for inputs by coverage
/// (libfuzzer_main.cpp, built by the preset `fuzz`), and a few thousand random mutations of the
/// seeds in every other build (replay_main.cpp).
///
/// A target has found a fault when the process dies: by a sanitizer, by a signal, or by a promise
/// of the decoder's header that an input has broken. A new decoder gets a file here and one line in
/// CMakeLists.txt; a new message of GRADMESH_MESSAGES is covered without.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace gradmesh::fuzz {

/// Inputs that the decoder takes and that are different from each other in kind: where mutation
/// begins.
std::vector<std::string> seeds();

/// Decodes one input and checks what came of it. True: the decoder took it. The memory behind
/// `input` ends with it, so that a byte read beyond is seen.
bool accepts(std::string_view input);

/// Whether a text can be shown to people: no byte of it steers a terminal or ends a line.
inline bool can_be_shown(std::string_view text) {
  return std::ranges::none_of(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

/// Ends the process unless the promise was kept.
inline void promise(bool kept, const char* what) {
  if (kept) return;
  std::fprintf(stderr, "broken promise: %s\n", what);
  std::abort();
}

/// Takes the bytes at the front of an input that choose how the rest is read; 0 when there are
/// none.
class options_reader {
public:
  explicit options_reader(std::string_view input) : rest_(input) {}

  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const auto value = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  std::uint16_t two_bytes() {
    const auto low = byte();
    return static_cast<std::uint16_t>(low | byte() << 8);
  }
  std::string_view rest() const { return rest_; }

private:
  std::string_view rest_;
};

} // namespace gradmesh::fuzz
