/// Files that may be compressed: damaged ones, and whole ones that must come back.

#include "tests/fuzz/target.hpp"

#include "actors/learning/data/gzip.hpp"
#include "tests/unit/learning_data/builders.hpp"

namespace gradmesh::fuzz {
namespace {

constexpr std::uint64_t bytes_max = 64u << 10;

// The first byte of an input: what the rest is.
constexpr char as_it_is = 0;
/// Text that is repeated as often as the next byte says, compressed in two members, and read.
constexpr char to_be_compressed = 1;

bool comes_back(std::string_view piece, std::size_t times) {
  std::string text;
  for (std::size_t i = 0; i < times; ++i)
    text += piece;
  const auto half = text.size() / 2;
  const auto inflated = learning::inflate_if_gzip(learning::test::gzip(text.substr(0, half)) +
                                                      learning::test::gzip(text.substr(half)),
                                                  "input", bytes_max);
  if (text.size() <= bytes_max)
    promise(inflated && *inflated == text, "what was compressed comes back");
  else
    promise(!inflated && inflated.failure().code == errc::limit_exceeded,
            "what inflates beyond the limit is refused");
  return static_cast<bool>(inflated);
}

bool accepts_file(std::string_view file) {
  const auto text = learning::inflate_if_gzip(std::string(file), "input", bytes_max);
  if (!text) {
    promise(text.failure().code == errc::malformed_data ||
                text.failure().code == errc::limit_exceeded,
            "what cannot be inflated is malformed or too long");
    return false;
  }
  const bool is_gzip = file.starts_with("\x1f\x8b");
  promise(is_gzip ? text->size() <= bytes_max : *text == file,
          "what is no gzip stays as it is, and the rest within the limit");
  return true;
}

} // namespace

std::vector<std::string> seeds() {
  using learning::test::gzip;
  std::vector<std::string> all{{to_be_compressed, '\7'}, {to_be_compressed, '\x40'}};
  all[0] += "0 1:1\n";
  all[1] += std::string(1000, 'x');
  for (const auto& file :
       {std::string("no gzip at all"), gzip("1 1:2\n"), gzip("first ") + gzip("second"),
        gzip(std::string(40'000, 'x')), gzip("")})
    all.push_back(as_it_is + file);
  return all;
}

bool accepts(std::string_view input) {
  options_reader in(input);
  if (in.byte() != to_be_compressed) return accepts_file(in.rest());
  const auto times = in.byte();
  return comes_back(in.rest(), times);
}

} // namespace gradmesh::fuzz
