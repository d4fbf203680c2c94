/// Saved models.

#include "tests/fuzz/target.hpp"

#include "actors/store/model_file.hpp"

#include <cstring>
#include <xxhash.h>

namespace gradmesh::fuzz {
namespace {

// The first byte of an input: what is made right, so that what lies behind its check is reached.
constexpr std::uint8_t option_repair_checksum = 1;
constexpr std::uint8_t option_repair_lengths = 2;

// schema/model.capnp
constexpr std::size_t at_header_bytes = 8;
constexpr std::size_t at_section_bytes = 16;
constexpr std::size_t at_header = 24;
constexpr std::size_t checksum_bytes = 8;

store::model_content sample() {
  store::model_content model;
  model.created_by = "gradmesh 0.1.0";
  model.job_name = "job";
  model.model_kind = "mlp";
  model.hidden = {4, 2};
  model.shape = {learning::layout::sparse, 100, 3};
  model.class_names = {"a", "", "c"};
  model.data_format = "libsvm";
  model.tables = {{"b", learning::table_kind::dense, 3, learning::initializer::zeros, 0},
                  {"w", learning::table_kind::sparse, 3, learning::initializer::uniform, 0.5F},
                  {"v", learning::table_kind::sparse, 1, learning::initializer::zeros, 0}};
  model.dense = {1, -2, 3.5F};
  model.sparse = {{{2, 5, ~0ULL}, {1, 2, 3, 4, 5, 6, 7, 8, 9}}, {{}, {}}};
  return model;
}

std::string text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void set_number(std::string& file, std::size_t at, std::uint64_t value) {
  std::memcpy(file.data() + at, &value, sizeof value);
}

void repair(std::string& file, std::uint8_t options) {
  if (file.size() < at_header + checksum_bytes) return;
  if (options & option_repair_lengths) {
    const std::uint64_t rest = file.size() - at_header - checksum_bytes;
    std::uint64_t header = 0;
    std::memcpy(&header, file.data() + at_header_bytes, sizeof header);
    header = header % (rest + 1) / 8 * 8;
    set_number(file, at_header_bytes, header);
    set_number(file, at_section_bytes, rest - header);
  }
  if (options & option_repair_checksum) {
    const auto sum_at = file.size() - checksum_bytes;
    set_number(file, sum_at, XXH3_64bits(file.data(), sum_at));
  }
}

} // namespace

std::vector<std::string> seeds() {
  std::vector<std::string> all;
  for (const auto& model : {sample(), store::model_content{}})
    for (const char options : {'\0', '\1', '\3'})
      all.push_back(options + text_of(*store::write_model(model)));
  return all;
}

bool accepts(std::string_view input) {
  options_reader in(input);
  const auto options = in.byte();
  std::string file(in.rest());
  repair(file, options);
  const auto model = store::read_model(std::as_bytes(std::span(file)));
  if (!model) {
    promise(model.failure().code == errc::malformed_model, "what cannot be read is malformed");
    promise(can_be_shown(model.failure().text), "why a model cannot be read can be shown");
    return false;
  }
  promise(static_cast<bool>(store::check_model(*model)), "a model that was read is sound");
  const auto written = store::write_model(*model);
  promise(static_cast<bool>(written), "a model that was read can be written");
  const auto again = store::read_model(*written);
  promise(again && text_of(*store::write_model(*again)) == text_of(*written),
          "a model survives being written");
  return true;
}

} // namespace gradmesh::fuzz
