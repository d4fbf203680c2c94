/// The cache file of a data set.

#include "tests/fuzz/dataset_promises.hpp"
#include "tests/fuzz/target.hpp"

#include "actors/learning/data/dataset_file.hpp"

#include <cstring>
#include <xxhash.h>

namespace gradmesh::fuzz {
namespace {

// An input: one byte, then the file. 1: the checksum is made right.
constexpr std::size_t at_checksum = 8;
constexpr std::size_t at_payload = 16;

learning::dataset sparse_rows() {
  return {{learning::layout::sparse, 7, 2}, {0, 1, 1}, {0, 2, 2, 3}, {0, 6, 3}, {1, 2.5F, -3}};
}

learning::dataset dense_rows() {
  return {{learning::layout::dense, 2, 3}, {2, 0}, {}, {}, {1, 2, 3, 4}};
}

} // namespace

std::vector<std::string> seeds() {
  std::vector<std::string> all;
  for (const auto& data : {learning::split_dataset{sparse_rows(), sparse_rows(), {"a", "b"}},
                           learning::split_dataset{dense_rows(), dense_rows(), {}}})
    for (const char repaired : {'\0', '\1'})
      all.push_back(repaired + learning::encode_dataset(data));
  return all;
}

bool accepts(std::string_view input) {
  options_reader in(input);
  const bool repaired = in.byte() & 1;
  std::string file(in.rest());
  if (repaired && file.size() >= at_payload) {
    const std::uint64_t sum = XXH3_64bits(file.data() + at_payload, file.size() - at_payload);
    std::memcpy(file.data() + at_checksum, &sum, sizeof sum);
  }
  const auto data = learning::decode_dataset(file);
  if (!data) {
    promise(data.failure().code == errc::malformed_data, "what cannot be read is malformed");
    return false;
  }
  check_dataset(data->train);
  check_dataset(data->test);
  promise(learning::encode_dataset(*data) == file, "a file that was read is written alike");
  return true;
}

} // namespace gradmesh::fuzz
