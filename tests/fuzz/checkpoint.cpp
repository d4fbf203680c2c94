/// Checkpoints: a manifest and a file of chunks, as they are checked and read.

#include "tests/fuzz/target.hpp"

#include "actors/env/memory_disk.hpp"
#include "actors/store/checkpoint_format.hpp"
#include "actors/store/checkpoint_writer.hpp"

#include <cstring>
#include <memory>
#include <ranges>
#include <xxhash.h>

namespace gradmesh::fuzz {
namespace {

// The first byte of an input: what is made right, so that what lies behind its check is reached.
constexpr std::uint8_t option_repair_checksum = 1;
constexpr std::uint8_t option_repair_length = 2;
constexpr std::uint8_t option_repair_header = 4;

// schema/checkpoint.capnp
constexpr std::size_t at_body_bytes = 16;
constexpr std::size_t at_body = 24;
constexpr std::size_t checksum_bytes = 16;

constexpr std::uint64_t bytes_max = 1U << 20;

/// An input: options, two bytes of the manifest's length, the manifest, the file of chunks.
std::string sample(char options, const std::string& content) {
  const auto disk = std::make_shared<env::memory_disk>();
  auto writer = store::checkpoint_writer::begin(disk, "job");
  (void)writer->add({0, 3, 1, content});
  (void)writer->add({0, 4, 2, ""});
  store::checkpoint_summary summary;
  summary.job_name = "job";
  summary.model.tables = {{"w", learning::table_kind::sparse, 3}};
  summary.progress = "half";
  (void)writer->commit(summary, 1);
  const auto manifest = *disk->read("job/000001/manifest", bytes_max);
  std::string input;
  input += options;
  input += static_cast<char>(manifest.size() & 255);
  input += static_cast<char>(manifest.size() >> 8);
  return input + manifest + *disk->read("job/000001/shard-00000.chunks", bytes_max);
}

void repair_manifest(std::string& file, std::uint8_t options) {
  if (file.size() < at_body + checksum_bytes) return;
  const auto sum_at = file.size() - checksum_bytes;
  if (options & option_repair_length) {
    const std::uint64_t body = sum_at - at_body;
    std::memcpy(file.data() + at_body_bytes, &body, sizeof body);
  }
  if (options & option_repair_checksum) {
    const auto sum = store::checksum_of(std::string_view(file).substr(0, sum_at));
    std::memcpy(file.data() + sum_at, &sum, sizeof sum);
  }
}

void check_manifest_promises(const std::string& bytes) {
  const auto manifest = store::decode_manifest(bytes);
  if (!manifest) {
    const auto code = manifest.failure().code;
    promise(code == errc::malformed_data || code == errc::refused,
            "a manifest that cannot be read is malformed or newer");
    promise(can_be_shown(manifest.failure().text), "why a manifest is refused can be shown");
    return;
  }
  promise(static_cast<bool>(store::check_manifest(*manifest)), "a manifest that was read is sound");
  const auto written = store::encode_manifest(*manifest);
  promise(static_cast<bool>(written), "a manifest that was read can be written");
  const auto again = store::decode_manifest(*written);
  promise(again && *store::encode_manifest(*again) == *written,
          "a manifest survives being written");
}

} // namespace

std::vector<std::string> seeds() {
  std::vector<std::string> all;
  for (const char options : {'\0', '\1', '\3', '\7'})
    for (const std::string content : {"", "some parameters"})
      all.push_back(sample(options, content));
  return all;
}

bool accepts(std::string_view input) {
  options_reader in(input);
  const auto options = in.byte();
  const std::size_t manifest_bytes = in.two_bytes();
  std::string manifest(in.rest().substr(0, manifest_bytes));
  std::string chunks(in.rest().substr(manifest.size()));
  repair_manifest(manifest, options);
  if ((options & option_repair_header) && chunks.size() >= store::chunk_header_bytes)
    chunks.replace(0, store::chunk_header_bytes, store::encode_chunk_header({1, 0}));
  check_manifest_promises(manifest);

  const auto disk = std::make_shared<env::memory_disk>();
  (void)disk->create_directories("job/000001");
  (void)disk->write("job/000001/manifest", manifest);
  (void)disk->write("job/000001/shard-00000.chunks", chunks);
  const store::checkpoint_store store(disk, "job");
  const auto good = store.latest_good(nullptr);
  if (!good) {
    promise(good.failure().code == errc::not_found, "a checkpoint that is refused is none");
    promise(can_be_shown(good.failure().text), "why there is no checkpoint can be shown");
    promise(static_cast<bool>(store::checkpoint_writer::begin(disk, "job")),
            "a checkpoint that is refused does not keep the next from being written");
    return false;
  }
  for (const auto& chunk : good->manifest.shards | std::views::join)
    promise(static_cast<bool>(store.read(chunk)), "a good checkpoint can be read");
  return true;
}

} // namespace gradmesh::fuzz
