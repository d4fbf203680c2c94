/// LIBSVM text: what is read is sound, and is the same after it was written and read again.

#include "tests/fuzz/dataset_promises.hpp"
#include "tests/fuzz/target.hpp"

#include "actors/learning/data/libsvm.hpp"

#include <limits>

namespace gradmesh::fuzz {

std::vector<std::string> seeds() {
  return {"1 1:0.5 3:2\n-1 2:1e-3\n",
          "0 0:1 4294967294:1\r\n3\n# only a comment\n\n2 7:1 5:-2.5 # out of order\r\n",
          "+1.0\t10:3.4028234e38\t11:-1e-45\n+2 10:.5", "9007199254740992 1:0\n-5 1:00012\n"};
}

bool accepts(std::string_view input) {
  auto rows = learning::read_libsvm(input, "input");
  if (!rows) {
    promise(rows.failure().text.starts_with("input"), "an error names the file");
    return false;
  }
  check_rows(*rows);
  const auto data = assembled(*std::move(rows));
  if (!data) return false;
  // Numbers begin with 1 in what is written: the last one possible has none there.
  if (data->train.shape.features == std::numeric_limits<std::uint32_t>::max()) return true;
  const auto text = learning::to_libsvm(data->train, data->class_names);
  auto again = learning::read_libsvm(text, "again");
  promise(static_cast<bool>(again), "what was written can be read");
  promise(again->offsets == data->train.offsets && again->values == data->train.values,
          "what was written is read back");
  for (auto& index : again->indices)
    --index;
  promise(again->indices == data->train.indices, "indices are read back");
  return true;
}

} // namespace gradmesh::fuzz
