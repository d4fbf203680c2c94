#include "actors/learning/data/dataset_file.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <xxhash.h>

namespace gradmesh::learning {
namespace {

constexpr std::string_view magic = "GMDATA01";
constexpr std::size_t payload_offset = magic.size() + sizeof(std::uint64_t);

class writer {
public:
  void number(std::uint64_t value) { append(&value, sizeof value); }

  template <class T>
  void array(const std::vector<T>& values) {
    append(values.data(), values.size() * sizeof(T));
  }

  void text(const std::string& value) {
    number(value.size());
    append(value.data(), value.size());
  }

  std::string take() { return std::move(bytes_); }

private:
  void append(const void* data, std::size_t size) {
    bytes_.append(static_cast<const char*>(data), size);
  }

  std::string bytes_;
};

/// Every read checks the length that is left; after one that failed all others fail too.
class reader {
public:
  explicit reader(std::string_view bytes) : rest_(bytes) {}

  bool failed() const { return failed_; }
  bool at_end() const { return !failed_ && rest_.empty(); }

  std::uint64_t number() {
    std::uint64_t value = 0;
    if (const auto bytes = take(sizeof value); !failed_)
      std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }

  template <class T>
  std::vector<T> array(std::uint64_t count) {
    if (count > rest_.size() / sizeof(T)) failed_ = true;
    if (failed_) return {};
    const auto bytes = take(count * sizeof(T));
    std::vector<T> values(count);
    if (count > 0) std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }

  std::string text() { return std::string(take(number())); }

private:
  std::string_view take(std::uint64_t count) {
    if (failed_ || count > rest_.size()) {
      failed_ = true;
      return {};
    }
    const auto taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }

  std::string_view rest_;
  bool failed_ = false;
};

void write_part(writer& out, const dataset& part) {
  out.number(part.labels.size());
  out.number(part.values.size());
  out.array(part.labels);
  if (part.shape.kind == layout::sparse) {
    out.array(part.offsets);
    out.array(part.indices);
  }
  out.array(part.values);
}

dataset read_part(reader& in, const data_shape& shape) {
  dataset part;
  part.shape = shape;
  const std::uint64_t rows = in.number();
  const std::uint64_t entries = in.number();
  part.labels = in.array<std::int32_t>(rows);
  if (shape.kind == layout::sparse && !in.failed()) {
    part.offsets = in.array<std::uint32_t>(rows + 1); // rows were read: no overflow
    part.indices = in.array<std::uint32_t>(entries);
  }
  part.values = in.array<float>(entries);
  return part;
}

bool is_sound(const dataset& part) {
  for (const float value : part.values)
    if (!std::isfinite(value)) return false;
  for (const std::int32_t label : part.labels)
    if (label < 0 || static_cast<std::uint32_t>(label) >= part.shape.classes) return false;
  if (part.shape.kind == layout::dense)
    return part.values.size() == part.size() * part.shape.features;
  if (part.offsets.front() != 0 || part.offsets.back() != part.indices.size()) return false;
  for (std::size_t row = 0; row < part.size(); ++row)
    if (part.offsets[row] > part.offsets[row + 1]) return false;
  for (std::size_t row = 0; row < part.size(); ++row)
    for (std::uint32_t i = part.offsets[row]; i < part.offsets[row + 1]; ++i)
      if (part.indices[i] >= part.shape.features ||
          (i > part.offsets[row] && part.indices[i] <= part.indices[i - 1]))
        return false;
  return true;
}

error malformed(const std::string& what) {
  return {errc::malformed_data, what};
}

} // namespace

std::string encode_dataset(const split_dataset& data) {
  const data_shape& shape = data.train.shape;
  writer out;
  out.number(shape.classes);
  out.number(shape.features);
  out.number(static_cast<std::uint64_t>(shape.kind));
  out.number(data.class_names.size());
  for (const auto& name : data.class_names)
    out.text(name);
  write_part(out, data.train);
  write_part(out, data.test);

  const std::string payload = out.take();
  const std::uint64_t checksum = XXH3_64bits(payload.data(), payload.size());
  std::string file(magic);
  file.append(reinterpret_cast<const char*>(&checksum), sizeof checksum);
  return file + payload;
}

result<split_dataset> decode_dataset(std::string_view bytes) {
  if (!bytes.starts_with(magic) || bytes.size() < payload_offset)
    return malformed("is no data cache of this version");
  const std::string_view payload = bytes.substr(payload_offset);
  std::uint64_t checksum = 0;
  std::memcpy(&checksum, bytes.data() + magic.size(), sizeof checksum);
  if (XXH3_64bits(payload.data(), payload.size()) != checksum)
    return malformed("has a wrong checksum");

  reader in(payload);
  const std::uint64_t classes = in.number();
  const std::uint64_t features = in.number();
  const std::uint64_t kind = in.number();
  if (classes > std::numeric_limits<std::uint32_t>::max() ||
      features > std::numeric_limits<std::uint32_t>::max() || kind > 1)
    return malformed("has a shape out of range");
  const data_shape shape{static_cast<layout>(kind), static_cast<std::uint32_t>(features),
                         static_cast<std::uint32_t>(classes)};
  split_dataset data;
  for (std::uint64_t left = in.number(); left > 0 && !in.failed(); --left)
    data.class_names.push_back(in.text());
  data.train = read_part(in, shape);
  data.test = read_part(in, shape);
  if (!in.at_end()) return malformed("has parts of another length than it says");
  if (!is_sound(data.train) || !is_sound(data.test))
    return malformed("has labels, indices or values out of range");
  return data;
}

} // namespace gradmesh::learning
