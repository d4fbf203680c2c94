#include "actors/store/model_file.hpp"

#include "actors/store/fingerprint.hpp"
#include "schema/model.capnp.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <doctest/doctest.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <random>

using namespace gradmesh;
using namespace gradmesh::store;
using learning::initializer;
using learning::table_kind;

namespace {

model_content sample() {
  model_content model;
  model.created_by = "gradmesh 0.1.0";
  model.job_name = "quickstart";
  model.model_kind = "mlp";
  model.hidden = {256, 128};
  model.l2 = 1e-4F;
  model.seed = 42;
  model.shape = {learning::layout::sparse, 1000, 3};
  model.class_names = {"admin", "", "web \"x\"\n"};
  model.data_format = "libsvm";
  model.data_scale = "none";
  model.feature_options = "hash_bits = 18";
  model.tables = {{"bias", table_kind::dense, 3, initializer::zeros, 0},
                  {"w", table_kind::sparse, 3, initializer::uniform, 0.5F},
                  {"v", table_kind::sparse, 1, initializer::zeros, 0}};
  model.dense = {1, -2, 3.5F};
  model.sparse = {{{2, 5, ~0ULL}, {1, 2, 3, 4, 5, 6, 7, 8, 9}}, {{}, {}}};
  return model;
}

std::vector<std::byte> sample_bytes() {
  auto bytes = write_model(sample());
  REQUIRE(bytes);
  return *std::move(bytes);
}

std::string refusal(std::span<const std::byte> bytes) {
  const auto model = read_model(bytes);
  REQUIRE(!model);
  CHECK(model.failure().code == errc::malformed_model);
  return model.failure().text;
}

/// The sample with another header, checksum and lengths being right again.
std::vector<std::byte> with_header(const std::function<void(schema::ModelHeader::Builder)>& edit) {
  const auto bytes = sample_bytes();
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data() + 8, 8);
  auto words = kj::heapArray<capnp::word>(header_bytes / 8);
  std::memcpy(words.begin(), bytes.data() + 24, header_bytes);
  capnp::FlatArrayMessageReader reader(words);
  capnp::MallocMessageBuilder builder;
  builder.setRoot(reader.getRoot<schema::ModelHeader>());
  edit(builder.getRoot<schema::ModelHeader>());
  const auto header = capnp::messageToFlatArray(builder);

  const std::uint64_t length = header.asBytes().size();
  std::vector<std::byte> out(bytes.size() - header_bytes + length);
  std::memcpy(out.data(), bytes.data(), 24);
  std::memcpy(out.data() + 8, &length, 8);
  std::memcpy(out.data() + 24, header.begin(), length);
  std::memcpy(out.data() + 24 + length, bytes.data() + 24 + header_bytes,
              bytes.size() - 24 - header_bytes);
  const std::uint64_t sum = XXH3_64bits(out.data(), out.size() - 8);
  std::memcpy(out.data() + out.size() - 8, &sum, 8);
  return out;
}

} // namespace

TEST_CASE("a model is read as it was written") {
  const auto model = read_model(sample_bytes());
  REQUIRE(model);
  CHECK(*model == sample());

  const auto empty = write_model({});
  REQUIRE(empty);
  const auto read = read_model(*empty);
  REQUIRE(read);
  CHECK(*read == model_content{});
}

TEST_CASE("a model file cut off anywhere is refused") {
  const auto bytes = sample_bytes();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CAPTURE(size);
    const std::vector<std::byte> cut(bytes.begin(), bytes.begin() + static_cast<long>(size));
    const auto text = refusal(cut);
    CHECK((text.starts_with("the model file is truncated") ||
           text.starts_with("a model file has at least 32 bytes")));
  }
  auto longer = bytes;
  longer.push_back(std::byte{0});
  CHECK(refusal(longer).starts_with("the model file is truncated or too long"));
}

TEST_CASE("a model file with any one bit flipped is refused") {
  auto bytes = sample_bytes();
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    CAPTURE(bit);
    const auto mask = static_cast<std::byte>(1U << (bit % 8));
    bytes[bit / 8] ^= mask;
    refusal(bytes);
    bytes[bit / 8] ^= mask;
  }
  bytes[100] ^= std::byte{1};
  CHECK(refusal(bytes).starts_with("the model file is damaged: its checksum is "));
  bytes[0] = std::byte{'g'};
  CHECK(refusal(bytes).starts_with("not a model file"));
}

TEST_CASE("a header with unprintable texts is refused in words that can be shown") {
  auto bytes = sample_bytes();
  constexpr std::string_view name = "quickstart";
  const auto wanted = std::as_bytes(std::span(name));
  const auto found = std::search(bytes.begin(), bytes.end(), wanted.begin(), wanted.end());
  REQUIRE(found != bytes.end());
  found[name.size()] = std::byte{0x1b};
  const std::uint64_t sum = XXH3_64bits(bytes.data(), bytes.size() - 8);
  std::memcpy(bytes.data() + bytes.size() - 8, &sum, 8);
  const auto text = refusal(bytes);
  CHECK(text.starts_with("the model file's header of "));
  CHECK(text.find('\x1b') == std::string::npos);

  const auto named = refusal(with_header([](auto header) {
    header.getTables()[0].setName("\x1b[2J");
    header.getTables()[0].setWidth(0);
  }));
  CHECK(named.starts_with("table '\\x1b[2J' has a width of 0 floats"));
}

TEST_CASE("a header that lies about the parameters is refused although its checksum is right") {
  REQUIRE(read_model(with_header([](auto) {}))); // the edit itself makes no difference
  CHECK(refusal(with_header([](auto header) {
          header.setFormatVersion(2);
        })).starts_with("the model file has format version 2, this program reads 1"));
  CHECK(refusal(with_header([](auto header) {
          header.getTables()[1].setRows(~0ULL);
        })).starts_with("the model file claims 18446744073709551615 rows of 3 floats in "));
  CHECK(refusal(with_header([](auto header) {
          header.getTables()[2].setRows(1);
        })).starts_with("the model file's parameters take "));
  CHECK(refusal(with_header([](auto header) {
          header.getTables()[0].setWidth(1ULL << 40);
        })).starts_with("the model file's parameters take "));
  CHECK(refusal(with_header([](auto header) {
          header.getTables()[0].setWidth(~0ULL);
        })).starts_with("table 'bias' has a width of 18446744073709551615 floats"));
  CHECK(refusal(with_header([](auto header) {
          header.initTables(1000);
        })).starts_with("the model file has 2 hidden layers (at most 256) and 1000 tables"));
  CHECK(refusal(with_header([](auto header) {
          header.initHidden(300);
        })).starts_with("the model file has 300 hidden layers"));
  CHECK(refusal(with_header([](auto header) {
          header.setClasses(7);
        })).starts_with("3 class names for 7 classes"));
  CHECK(refusal(with_header([](auto header) {
          header.getTables()[0].setName("other");
        })).starts_with("the parameters in the model file have SHA-256 "));
}

TEST_CASE("random bytes behind a right frame are refused and do no harm") {
  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const auto good = sample_bytes();
  for (int round = 0; round < 2000; ++round) {
    auto bytes = good;
    for (int changes = 0; changes < 4; ++changes)
      bytes[24 + random() % (bytes.size() - 32)] = static_cast<std::byte>(random());
    const std::uint64_t sum = XXH3_64bits(bytes.data(), bytes.size() - 8);
    std::memcpy(bytes.data() + bytes.size() - 8, &sum, sizeof sum);
    const auto model = read_model(bytes); // may only have changed what no check covers, e.g. a name
    if (!model) CHECK(model.failure().code == errc::malformed_model);
    if (model) CHECK(check_model(*model));
  }
}

TEST_CASE("content that does not fit its tables, or texts beyond the limit, are not written") {
  auto model = sample();
  model.dense.pop_back();
  const auto misfit = write_model(model);
  REQUIRE(!misfit);
  CHECK(misfit.failure().code == errc::invalid_argument);
  model = sample();
  model.feature_options.assign(model_header_bytes_max, 'x');
  const auto too_long = write_model(model);
  REQUIRE(!too_long);
  CHECK(too_long.failure().text.starts_with("the texts of the model take "));
}

TEST_CASE("the fingerprint is the SHA-256 of the documented form") {
  model_content model;
  model.tables = {{"b", table_kind::dense, 1}, {"w", table_kind::sparse, 1}};
  model.dense = {1.0F};
  model.sparse = {{{2}, {-1.0F}}};
  const auto sha256 = parameters_sha256(model);
  REQUIRE(sha256);
  // python3: import hashlib, struct
  // hashlib.sha256(struct.pack("<Q1sBQf", 1, b"b", 0, 1, 1.0) +
  //                struct.pack("<Q1sBQQQf", 1, b"w", 1, 1, 1, 2, -1.0)).hexdigest()
  CHECK(*sha256 == "df60065716c73f5dfdc37bfd66b54f8a849b1c4d4e18bb57817c5aace659ba82");
}

TEST_CASE("any change of a parameter, key or table changes the fingerprint") {
  const auto reference = *parameters_sha256(sample());
  auto model = sample();
  model.dense[2] = 3.25F;
  CHECK(*parameters_sha256(model) != reference);
  model = sample();
  model.sparse[0].keys[1] = 4;
  CHECK(*parameters_sha256(model) != reference);
  model = sample();
  model.tables[1].name = std::string("u");
  CHECK(*parameters_sha256(model) != reference);
  model = sample();
  model.job_name = "other"; // no parameter
  CHECK(*parameters_sha256(model) == reference);
}
