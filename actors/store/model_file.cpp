#include "actors/store/model_file.hpp"

#include "actors/parameters/body_layout.hpp"
#include "actors/store/fingerprint.hpp"
#include "config/diagnostic.hpp"
#include "schema/model.capnp.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>
#include <utility>

static_assert(std::endian::native == std::endian::little, "numbers are stored as they lie");

namespace gradmesh::store {

namespace {

constexpr std::string_view magic = "GRADMESH";
/// Magic and two lengths before the header, the checksum after the sections.
constexpr std::uint64_t prefix_bytes = 24;
constexpr std::uint64_t frame_bytes = prefix_bytes + sizeof(std::uint64_t);

using layout_type = schema::ModelHeader::Layout;

/// The text may quote the file.
error malformed(std::string_view text) {
  return {errc::malformed_model,
          config::printable(text) + "; restore the file or train the model again"};
}

std::uint64_t padded(std::uint64_t bytes) {
  return (bytes + 7) / 8 * 8;
}

/// Appends values and pads to 8 bytes.
template <class Number>
void append(std::vector<std::byte>& out, std::span<const Number> values) {
  const auto bytes = std::as_bytes(values);
  out.insert(out.end(), bytes.begin(), bytes.end());
  out.resize(padded(out.size()));
}

/// Copies `count` values from the front of `rest`, which has them, and drops them and their
/// padding.
template <class Number>
std::vector<Number> take(std::span<const std::byte>& rest, std::size_t count) {
  std::vector<Number> values(count);
  const auto bytes = count * sizeof(Number);
  if (bytes != 0) std::memcpy(values.data(), rest.data(), bytes);
  rest = rest.subspan(padded(bytes));
  return values;
}

std::uint64_t number_at(std::span<const std::byte> bytes, std::size_t at) {
  std::uint64_t number = 0;
  std::memcpy(&number, bytes.data() + at, sizeof number);
  return number;
}

layout_type to_schema(learning::layout kind) {
  return kind == learning::layout::sparse ? layout_type::SPARSE : layout_type::DENSE;
}

layout_type to_schema(learning::table_kind kind) {
  return kind == learning::table_kind::sparse ? layout_type::SPARSE : layout_type::DENSE;
}

void fill_header(schema::ModelHeader::Builder header, const model_content& content,
                 const std::string& sha256) {
  header.setFormatVersion(model_format_version);
  header.setCreatedBy(content.created_by);
  header.setJobName(content.job_name);
  header.setModelKind(content.model_kind);
  header.setHidden(kj::ArrayPtr<const std::uint32_t>(content.hidden.data(), content.hidden.size()));
  header.setL2(content.l2);
  header.setSeed(content.seed);
  header.setLayout(to_schema(content.shape.kind));
  header.setFeatures(content.shape.features);
  header.setClasses(content.shape.classes);
  auto names = header.initClassNames(static_cast<unsigned>(content.class_names.size()));
  for (unsigned i = 0; i < names.size(); ++i)
    names.set(i, content.class_names[i]);
  header.setDataFormat(content.data_format);
  header.setDataScale(content.data_scale);
  header.setFeatureOptions(content.feature_options);
  header.setParametersSha256(sha256);

  auto tables = header.initTables(static_cast<unsigned>(content.tables.size()));
  std::size_t sparse = 0;
  for (unsigned t = 0; t < tables.size(); ++t) {
    const auto& spec = content.tables[t];
    auto table = tables[t];
    table.setName(spec.name);
    table.setKind(to_schema(spec.kind));
    table.setWidth(spec.width);
    table.setUniform(spec.init == learning::initializer::uniform);
    table.setInitLimit(spec.init_limit);
    if (spec.kind == learning::table_kind::sparse)
      table.setRows(content.sparse[sparse++].keys.size());
  }
}

/// A header as it was read: content without parameters, and what the sections must hold.
struct header_content {
  model_content model;
  std::vector<std::uint64_t> rows; // by sparse table
  std::string sha256;
};

/// May throw kj::Exception.
result<header_content> decode_header(schema::ModelHeader::Reader header) {
  if (header.getFormatVersion() != model_format_version)
    return malformed(fmt::format("the model file has format version {}, this program reads {}",
                                 header.getFormatVersion(), model_format_version));
  const auto hidden = header.getHidden();
  const auto names = header.getClassNames();
  const auto tables = header.getTables();
  if (hidden.size() > hidden_layers_max || tables.size() > parameters::tables_max)
    return malformed(fmt::format("the model file has {} hidden layers (at most {}) and {} tables "
                                 "(at most {})",
                                 hidden.size(), hidden_layers_max, tables.size(),
                                 parameters::tables_max));
  header_content content;
  auto& model = content.model;
  model.created_by = header.getCreatedBy();
  model.job_name = header.getJobName();
  model.model_kind = header.getModelKind();
  for (const auto width : hidden)
    model.hidden.push_back(width);
  model.l2 = header.getL2();
  model.seed = header.getSeed();
  model.shape.kind = header.getLayout() == layout_type::SPARSE ? learning::layout::sparse
                                                               : learning::layout::dense;
  model.shape.features = header.getFeatures();
  model.shape.classes = header.getClasses();
  for (const auto name : names)
    model.class_names.emplace_back(name);
  model.data_format = header.getDataFormat();
  model.data_scale = header.getDataScale();
  model.feature_options = header.getFeatureOptions();
  content.sha256 = header.getParametersSha256();
  for (const auto table : tables) {
    auto& spec = model.tables.emplace_back();
    spec.name = table.getName();
    spec.kind = table.getKind() == layout_type::SPARSE ? learning::table_kind::sparse
                                                       : learning::table_kind::dense;
    spec.width = table.getWidth();
    spec.init = table.getUniform() ? learning::initializer::uniform : learning::initializer::zeros;
    spec.init_limit = table.getInitLimit();
    if (spec.kind == learning::table_kind::sparse) content.rows.push_back(table.getRows());
  }
  if (auto ok = parameters::check_tables(model.tables); !ok) return malformed(ok.failure().text);
  return content;
}

result<header_content> read_header(std::span<const std::byte> bytes) {
  auto words = kj::heapArray<capnp::word>(bytes.size() / sizeof(capnp::word));
  if (!bytes.empty()) std::memcpy(words.begin(), bytes.data(), bytes.size());
  try {
    capnp::FlatArrayMessageReader reader(words);
    return decode_header(reader.getRoot<schema::ModelHeader>());
  } catch (const kj::Exception& e) {
    return malformed(fmt::format("the model file's header of {} bytes cannot be decoded: {}",
                                 bytes.size(), e.getDescription().cStr()));
  }
}

/// Refuses sections of another size than the header's tables come to.
result<void> check_section_bytes(const header_content& header, std::uint64_t have) {
  const parameters::body_layout layout(header.model.tables);
  auto want = padded(learning::dense_size(header.model.tables) * sizeof(float));
  for (std::size_t s = 0; s < header.rows.size(); ++s) {
    // Bounded before it is multiplied, so that the product does not overflow.
    const auto width = layout.row_widths()[s];
    if (header.rows[s] > have / (sizeof(std::uint64_t) + width * sizeof(float)))
      return malformed(fmt::format("the model file claims {} rows of {} floats in {} bytes",
                                   header.rows[s], width, have));
    want += header.rows[s] * sizeof(std::uint64_t) + padded(header.rows[s] * width * sizeof(float));
  }
  if (want != have)
    return malformed(
        fmt::format("the model file's parameters take {} bytes, its tables say {}", have, want));
  return {};
}

/// Checks the frame (magic, lengths, checksum) and gives the length of the header.
result<std::uint64_t> check_frame(std::span<const std::byte> bytes) {
  if (bytes.size() < frame_bytes)
    return malformed(fmt::format("a model file has at least {} bytes, this one has {}", frame_bytes,
                                 bytes.size()));
  if (std::memcmp(bytes.data(), magic.data(), magic.size()) != 0)
    return malformed("not a model file: it does not begin with \"GRADMESH\"");
  const auto header_bytes = number_at(bytes, 8);
  const auto section_bytes = number_at(bytes, 16);
  if (header_bytes > model_header_bytes_max || header_bytes % 8 != 0)
    return malformed(fmt::format("the model file claims a header of {} bytes (a multiple of 8 up "
                                 "to {})",
                                 header_bytes, model_header_bytes_max));
  const auto rest = bytes.size() - frame_bytes;
  if (rest < header_bytes || rest - header_bytes != section_bytes)
    return malformed(fmt::format("the model file is truncated or too long: {} bytes after its "
                                 "prefix, but it claims {} of header and {} of parameters",
                                 rest, header_bytes, section_bytes));
  const auto sum_at = bytes.size() - sizeof(std::uint64_t);
  const auto sum = XXH3_64bits(bytes.data(), sum_at);
  if (sum != number_at(bytes, sum_at))
    return malformed(fmt::format("the model file is damaged: its checksum is {:016x}, it claims "
                                 "{:016x}",
                                 sum, number_at(bytes, sum_at)));
  return header_bytes;
}

} // namespace

result<std::vector<std::byte>> write_model(const model_content& content) {
  if (auto ok = check_model(content); !ok) return ok.failure();
  const auto sha256 = parameters_sha256(content);
  if (!sha256) return sha256.failure();
  capnp::MallocMessageBuilder message;
  fill_header(message.initRoot<schema::ModelHeader>(), content, *sha256);
  const auto words = capnp::messageToFlatArray(message);
  const auto header = words.asBytes();
  if (header.size() > model_header_bytes_max)
    return {errc::invalid_argument,
            fmt::format("the texts of the model take {} bytes, at most {} can be saved; shorten "
                        "class names or options",
                        header.size(), model_header_bytes_max)};

  std::uint64_t section_bytes = padded(content.dense.size() * sizeof(float));
  for (const auto& table : content.sparse)
    section_bytes +=
        table.keys.size() * sizeof(std::uint64_t) + padded(table.rows.size() * sizeof(float));
  const std::uint64_t lengths[] = {header.size(), section_bytes};

  std::vector<std::byte> bytes;
  bytes.reserve(frame_bytes + header.size() + section_bytes);
  append(bytes, std::span(magic));
  append(bytes, std::span<const std::uint64_t>(lengths));
  append(bytes, std::span<const kj::byte>(header.begin(), header.size()));
  append(bytes, std::span(content.dense));
  for (const auto& table : content.sparse) {
    append(bytes, std::span(table.keys));
    append(bytes, std::span(table.rows));
  }
  const std::uint64_t sum[] = {XXH3_64bits(bytes.data(), bytes.size())};
  append(bytes, std::span<const std::uint64_t>(sum));
  return bytes;
}

result<model_content> read_model(std::span<const std::byte> bytes) {
  const auto header_bytes = check_frame(bytes);
  if (!header_bytes) return header_bytes.failure();
  auto header = read_header(bytes.subspan(prefix_bytes, *header_bytes));
  if (!header) return header.failure();
  auto rest = bytes.subspan(prefix_bytes + *header_bytes);
  rest = rest.first(rest.size() - sizeof(std::uint64_t));
  if (auto ok = check_section_bytes(*header, rest.size()); !ok) return ok.failure();

  auto& model = header->model;
  const parameters::body_layout layout(model.tables);
  model.dense = take<float>(rest, learning::dense_size(model.tables));
  for (std::size_t s = 0; s < header->rows.size(); ++s) {
    auto& table = model.sparse.emplace_back();
    table.keys = take<std::uint64_t>(rest, header->rows[s]);
    table.rows = take<float>(rest, header->rows[s] * layout.row_widths()[s]);
  }
  if (auto ok = check_model(model); !ok) return malformed(ok.failure().text);
  const auto sha256 = parameters_sha256(model);
  if (!sha256) return sha256.failure();
  if (*sha256 != header->sha256)
    return malformed(fmt::format("the parameters in the model file have SHA-256 {}, it claims {}",
                                 *sha256, header->sha256));
  return std::move(model);
}

} // namespace gradmesh::store
