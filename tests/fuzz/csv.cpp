/// CSV and TSV text, with the label in any column.

#include "tests/fuzz/dataset_promises.hpp"
#include "tests/fuzz/target.hpp"

#include "actors/learning/data/csv.hpp"

#include <algorithm>

namespace gradmesh::fuzz {
namespace {

// The first byte of an input; the second is the column of the label.
constexpr std::uint8_t option_tabs = 1;
constexpr std::uint8_t option_header = 2;

std::string input_of(std::uint8_t options, int label_column, std::string_view text) {
  std::string input{static_cast<char>(options), static_cast<char>(label_column)};
  return input.append(text);
}

} // namespace

std::vector<std::string> seeds() {
  return {input_of(0, 1, "1,0.5,2\n0,-1e3, .25 \n"), input_of(0, -1, "1,2,3\r\n\r\n4,5,-6\r\n"),
          input_of(option_tabs, 2, "1\t2\n3\t+4.0\n"),
          input_of(option_header, 1, "label,a,b\n1,2,3\n7,8,9"),
          input_of(option_header | option_tabs, -2, "x\ty\n-9007199254740992\t3.4028234e38\n")};
}

bool accepts(std::string_view input) {
  options_reader in(input);
  const auto options = in.byte();
  const auto label_column = static_cast<std::int8_t>(in.byte());
  const char separator = options & option_tabs ? '\t' : ',';
  auto rows = learning::read_csv(in.rest(), "input",
                                 {.separator = separator,
                                  .header = (options & option_header) != 0,
                                  .label_column = label_column});
  if (!rows) {
    promise(rows.failure().text.find("input") != std::string::npos, "an error names the file");
    return false;
  }
  check_rows(*rows);
  promise(rows->index_max >= 1, "there is a feature beside the label");
  promise(std::ranges::count(in.rest(), separator) >=
              static_cast<std::ptrdiff_t>(rows->values.size()),
          "there are no more values than fields");
  return assembled(*std::move(rows)).has_value();
}

} // namespace gradmesh::fuzz
