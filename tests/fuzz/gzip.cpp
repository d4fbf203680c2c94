/// Files that may be compressed.

#include "tests/fuzz/target.hpp"

#include "actors/learning/data/gzip.hpp"
#include "tests/unit/learning_data/builders.hpp"

namespace gradmesh::fuzz {
namespace {

constexpr std::uint64_t bytes_max = 64u << 10;

} // namespace

std::vector<std::string> seeds() {
  using learning::test::gzip;
  return {"no gzip at all", gzip("1 1:2\n"), gzip("first ") + gzip("second"),
          gzip(std::string(40'000, 'x')), gzip("")};
}

bool accepts(std::string_view input) {
  const auto text = learning::inflate_if_gzip(std::string(input), "input", bytes_max);
  if (!text) {
    promise(text.failure().code == errc::malformed_data ||
                text.failure().code == errc::limit_exceeded,
            "what cannot be inflated is malformed or too long");
    return false;
  }
  const bool is_gzip = input.starts_with("\x1f\x8b");
  promise(is_gzip ? text->size() <= bytes_max : *text == input,
          "what is no gzip stays as it is, and the rest within the limit");
  return true;
}

} // namespace gradmesh::fuzz
