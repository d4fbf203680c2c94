#include "actors/store/checkpoint_format.hpp"

#include "tests/unit/store/checkpoint_support.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <functional>

using namespace gradmesh;
using namespace gradmesh::store;

namespace {

checkpoint_manifest sample() {
  checkpoint_manifest manifest{12, testing::summary_at(34), {}, {}};
  manifest.files = {{{9, 0}, 1000}, {{12, 0}, 70}, {{12, 1}, 45}};
  manifest.shards = {{{5, 1, {12, 0}, 40, 30, {1, 2}}, {6, 2, {9, 0}, 77, 100, {3, 4}}},
                     {{0, 1, {12, 1}, 40, 5, {5, 6}}}};
  return manifest;
}

std::string sample_bytes() {
  auto bytes = encode_manifest(sample());
  REQUIRE(bytes);
  return *std::move(bytes);
}

error refusal(std::string_view bytes) {
  const auto manifest = decode_manifest(bytes);
  REQUIRE(!manifest);
  return manifest.failure();
}

std::string broken(const std::function<void(checkpoint_manifest&)>& edit) {
  auto manifest = sample();
  edit(manifest);
  const auto bytes = encode_manifest(manifest);
  REQUIRE(!bytes);
  CHECK(bytes.failure().code == errc::invalid_argument);
  return bytes.failure().text;
}

/// Another format version, all else being right.
std::string with_version(std::uint64_t version) {
  auto bytes = sample_bytes();
  std::memcpy(bytes.data() + 8, &version, sizeof version);
  const auto sum_at = bytes.size() - sizeof(checksum128);
  const auto sum = checksum_of(std::string_view(bytes).substr(0, sum_at));
  std::memcpy(bytes.data() + sum_at, &sum, sizeof sum);
  return bytes;
}

} // namespace

TEST_CASE("a manifest is read as it was written") {
  const auto read = decode_manifest(sample_bytes());
  REQUIRE(read);
  CHECK(*read == sample());
  const checkpoint_manifest least{1, {}, {}, {}};
  const auto bytes = encode_manifest(least);
  REQUIRE(bytes);
  CHECK(*decode_manifest(*bytes) == least);
}

TEST_CASE("a manifest with any one bit flipped or cut off anywhere is refused") {
  auto bytes = sample_bytes();
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    CAPTURE(bit);
    bytes[bit / 8] ^= static_cast<char>(1U << (bit % 8));
    CHECK(refusal(bytes).code == errc::malformed_data);
    bytes[bit / 8] ^= static_cast<char>(1U << (bit % 8));
  }
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CHECK(refusal(std::string_view(bytes).substr(0, size)).code == errc::malformed_data);
  CHECK(refusal(bytes + '\0').text.starts_with("the manifest is truncated, too long or damaged"));
}

TEST_CASE("a newer format is told from damage and refused by name") {
  CHECK(decode_manifest(with_version(1)));
  CHECK(refusal(with_version(2)) ==
        error{errc::refused, "the manifest has format version 2, this program reads up to 1; use "
                             "the newer gradmesh that wrote it"});
  CHECK(refusal(with_version(0)).code == errc::refused);
}

TEST_CASE("a manifest that makes no sense is neither written nor read") {
  CHECK(broken([](auto& m) { m.number = 0; }).starts_with("checkpoint number 0 is not in 1.."));
  CHECK(broken([](auto& m) {
          m.number = 11;
        }).starts_with("file 000012/shard-00000.chunks of 70 bytes cannot be one of "));
  CHECK(broken([](auto& m) {
          std::swap(m.files[1], m.files[2]);
        }).starts_with("file 000012/shard-00000.chunks follows 000012/shard-00001.chunks"));
  CHECK(broken([](auto& m) {
          m.shards[0][1].id = 5;
        }).starts_with("chunk 5 of shard 0 follows chunk 5"));
  CHECK(broken([](auto& m) {
          m.shards[0][1].file = {9, 1};
        }).starts_with("chunk 6 of shard 0 lies in 000009/shard-00001.chunks, which is no file"));
  CHECK(broken([](auto& m) {
          m.shards[0][1].offset = 901;
        }).starts_with("chunk 6 of shard 0 of 100 bytes at 901 does not lie in the 1000 bytes"));
  CHECK(broken([](auto& m) { m.shards[0][1].offset = ~0ULL; }).find("does not lie") !=
        std::string::npos);
  CHECK(broken([](auto& m) {
          m.shards[1].clear();
        }).starts_with("no chunk lies in file 000012/shard-00001.chunks"));
  CHECK(broken([](auto& m) {
          m.files[1].bytes = 71;
        }).starts_with("the chunks in 000012/shard-00000.chunks end or overlap at byte 70 of 71"));
  CHECK(broken([](auto& m) {
          m.shards.resize(checkpoint_shards_max + 1);
        }).starts_with("4097 shards (at most 4096)"));
}

TEST_CASE("the header of a file of chunks with any one bit flipped is refused") {
  const chunk_file file{12, 3};
  auto header = encode_chunk_header(file);
  REQUIRE(header.size() == chunk_header_bytes);
  REQUIRE(check_chunk_header(header, file));
  for (std::size_t bit = 0; bit < header.size() * 8; ++bit) {
    header[bit / 8] ^= static_cast<char>(1U << (bit % 8));
    CHECK(check_chunk_header(header, file).failure().code == errc::malformed_data);
    header[bit / 8] ^= static_cast<char>(1U << (bit % 8));
  }
  CHECK(check_chunk_header(header, {13, 3}).failure().text == "this is shard 3 of checkpoint 12");
  CHECK(check_chunk_header("", file).failure().code == errc::malformed_data);
}

TEST_CASE("names of checkpoints are numbers of six digits or more, and nothing else is one") {
  CHECK(checkpoint_name(12) == "000012");
  CHECK(checkpoint_number("000012") == 12);
  CHECK(checkpoint_number(checkpoint_name(1234567)) == 1234567);
  for (const auto* name :
       {"", "12", "000000", "0000012", "00001a", "manifest", " 00012", "99999999999999999999"})
    CHECK_FALSE(checkpoint_number(name));
}

TEST_CASE("another model is refused with what differs") {
  const auto manifest = sample();
  const auto wanted = testing::small_model();
  CHECK(check_same_model(manifest, wanted));
  const auto refused = [&](const std::function<void(model_identity&)>& edit) {
    auto model = wanted;
    edit(model);
    const auto same = check_same_model(manifest, model);
    REQUIRE(!same);
    CHECK(same.failure().code == errc::refused);
    return same.failure().text;
  };
  CHECK(refused([](auto& m) { m.tables[1].width = 5; }) ==
        "checkpoint 000012 of job 'quickstart' is of another model: sparse table 'w' of width 3 "
        "there, sparse table 'w' of width 5 here; go on with the job file that it was made with, "
        "or keep this job's checkpoints in another folder");
  CHECK(refused([](auto& m) { m.shape.classes = 4; }).find("3 classes there") != std::string::npos);
  CHECK(refused([](auto& m) { m.tables.pop_back(); }).find("2 tables there, 1 here") !=
        std::string::npos);
  CHECK(refused([](auto& m) { m.tables[1].init_limit = 1; }).find("begins with other values") !=
        std::string::npos);
  CHECK(refused([](auto& m) {
          m.config = "[job]\nmodel = softmax\nseed = 8\n";
        }).find("'seed = 7' there, 'seed = 8' here") != std::string::npos);
}
