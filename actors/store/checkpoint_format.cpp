#include "actors/store/checkpoint_format.hpp"

#include "actors/store/plain_numbers.hpp"
#include "config/diagnostic.hpp"
#include "schema/checkpoint.capnp.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>
#include <xxhash.h>

static_assert(std::endian::native == std::endian::little, "numbers are stored as they lie");

namespace gradmesh::store {
namespace {

constexpr std::string_view manifest_magic = "GMCHECKP";
constexpr std::string_view chunks_magic = "GMCHUNKS";
/// Magic, version and length before the body, the checksum after it.
constexpr std::size_t prefix_bytes = 24;
constexpr std::size_t frame_bytes = prefix_bytes + sizeof(checksum128);
/// Each value is read once or twice.
constexpr std::uint64_t reads_of_a_word = 8;

using layout_type = schema::ModelHeader::Layout;

/// The text may quote the file.
error malformed(std::string_view text) {
  return {errc::malformed_data, config::printable(text)};
}

error newer(const char* what, std::uint64_t version) {
  return {errc::refused, fmt::format("the {} has format version {}, this program reads up to {}; "
                                     "use the newer gradmesh that wrote it",
                                     what, version, checkpoint_format_version)};
}

void fill_model(schema::CheckpointManifest::Builder out, const model_identity& model) {
  out.setConfig(model.config);
  out.setLayout(model.shape.kind == learning::layout::sparse ? layout_type::SPARSE
                                                             : layout_type::DENSE);
  out.setFeatures(model.shape.features);
  out.setClasses(model.shape.classes);
  auto tables = out.initTables(static_cast<unsigned>(model.tables.size()));
  for (unsigned t = 0; t < tables.size(); ++t) {
    const auto& spec = model.tables[t];
    tables[t].setName(spec.name);
    tables[t].setKind(spec.kind == learning::table_kind::sparse ? layout_type::SPARSE
                                                                : layout_type::DENSE);
    tables[t].setWidth(spec.width);
    tables[t].setUniform(spec.init == learning::initializer::uniform);
    tables[t].setInitLimit(spec.init_limit);
  }
}

void fill(schema::CheckpointManifest::Builder out, const checkpoint_manifest& manifest) {
  const auto& summary = manifest.summary;
  out.setNumber(manifest.number);
  out.setCreatedBy(summary.created_by);
  out.setCreatedUnixMs(summary.created_unix_ms);
  out.setJobName(summary.job_name);
  out.setJobId(summary.job_id);
  fill_model(out, summary.model);
  out.setStep(summary.step);
  out.setSteps(summary.steps);
  out.setProgress(capnp::Data::Reader(reinterpret_cast<const kj::byte*>(summary.progress.data()),
                                      summary.progress.size()));
  auto files = out.initFiles(static_cast<unsigned>(manifest.files.size()));
  for (unsigned f = 0; f < files.size(); ++f) {
    files[f].setCheckpoint(manifest.files[f].file.checkpoint);
    files[f].setShard(manifest.files[f].file.shard);
    files[f].setBytes(manifest.files[f].bytes);
  }
  const auto index_of = [&](const chunk_file& file) {
    const auto found = std::ranges::lower_bound(manifest.files, file, {}, &chunk_file_entry::file);
    return static_cast<std::uint32_t>(found - manifest.files.begin());
  };
  auto shards = out.initShards(static_cast<unsigned>(manifest.shards.size()));
  for (unsigned s = 0; s < shards.size(); ++s) {
    auto chunks = shards[s].initChunks(static_cast<unsigned>(manifest.shards[s].size()));
    for (unsigned c = 0; c < chunks.size(); ++c) {
      const auto& chunk = manifest.shards[s][c];
      chunks[c].setId(chunk.id);
      chunks[c].setKind(chunk.kind);
      chunks[c].setFile(index_of(chunk.file));
      chunks[c].setOffset(chunk.offset);
      chunks[c].setBytes(chunk.bytes);
      chunks[c].setChecksumLow(chunk.checksum.low);
      chunks[c].setChecksumHigh(chunk.checksum.high);
    }
  }
}

model_identity read_model(schema::CheckpointManifest::Reader in) {
  model_identity model;
  model.config = in.getConfig();
  model.shape.kind =
      in.getLayout() == layout_type::SPARSE ? learning::layout::sparse : learning::layout::dense;
  model.shape.features = in.getFeatures();
  model.shape.classes = in.getClasses();
  for (const auto table : in.getTables()) {
    auto& spec = model.tables.emplace_back();
    spec.name = table.getName();
    spec.kind = table.getKind() == layout_type::SPARSE ? learning::table_kind::sparse
                                                       : learning::table_kind::dense;
    spec.width = table.getWidth();
    spec.init = table.getUniform() ? learning::initializer::uniform : learning::initializer::zeros;
    spec.init_limit = table.getInitLimit();
  }
  return model;
}

checkpoint_summary read_summary(schema::CheckpointManifest::Reader in) {
  const auto progress = in.getProgress();
  return {.created_by = in.getCreatedBy(),
          .created_unix_ms = in.getCreatedUnixMs(),
          .job_name = in.getJobName(),
          .job_id = in.getJobId(),
          .model = read_model(in),
          .step = in.getStep(),
          .steps = in.getSteps(),
          .progress = {reinterpret_cast<const char*>(progress.begin()), progress.size()}};
}

/// May throw kj::Exception.
result<checkpoint_manifest> read_body(schema::CheckpointManifest::Reader in) {
  checkpoint_manifest manifest{in.getNumber(), read_summary(in), {}, {}};
  const auto files = in.getFiles();
  for (const auto file : files)
    manifest.files.push_back({{file.getCheckpoint(), file.getShard()}, file.getBytes()});
  for (const auto shard : in.getShards()) {
    auto& chunks = manifest.shards.emplace_back();
    for (const auto chunk : shard.getChunks()) {
      if (chunk.getFile() >= files.size())
        return malformed(fmt::format("the manifest's chunk {} lies in file {} of {}", chunk.getId(),
                                     chunk.getFile(), files.size()));
      chunks.push_back({.id = chunk.getId(),
                        .kind = chunk.getKind(),
                        .file = manifest.files[chunk.getFile()].file,
                        .offset = chunk.getOffset(),
                        .bytes = chunk.getBytes(),
                        .checksum = {chunk.getChecksumLow(), chunk.getChecksumHigh()}});
    }
  }
  if (auto ok = check_manifest(manifest); !ok)
    return malformed("the manifest makes no sense: " + ok.failure().text);
  return manifest;
}

/// Checks the frame and gives the body.
result<std::string_view> open_frame(std::string_view bytes) {
  if (bytes.size() < frame_bytes)
    return malformed(
        fmt::format("the manifest is truncated: {} bytes, at least {}", bytes.size(), frame_bytes));
  if (!bytes.starts_with(manifest_magic))
    return malformed(fmt::format("this is no manifest: it does not begin with {}", manifest_magic));
  const auto body_bytes = number_at<std::uint64_t>(bytes, 16);
  if (body_bytes % sizeof(capnp::word) != 0 || body_bytes != bytes.size() - frame_bytes)
    return malformed(fmt::format("the manifest is truncated, too long or damaged: it claims a body "
                                 "of {} bytes and has {}",
                                 body_bytes, bytes.size() - frame_bytes));
  const auto sum_at = bytes.size() - sizeof(checksum128);
  if (checksum_of(bytes.substr(0, sum_at)) != number_at<checksum128>(bytes, sum_at))
    return malformed("the manifest is damaged: its checksum is wrong");
  const auto version = number_at<std::uint64_t>(bytes, 8);
  if (version == 0 || version > checkpoint_format_version) return newer("manifest", version);
  return bytes.substr(prefix_bytes, body_bytes);
}

} // namespace

result<std::string> encode_manifest(const checkpoint_manifest& manifest) {
  if (auto ok = check_manifest(manifest); !ok) return ok.failure();
  capnp::MallocMessageBuilder message;
  fill(message.initRoot<schema::CheckpointManifest>(), manifest);
  const auto words = capnp::messageToFlatArray(message);
  const auto body = words.asChars();
  std::string bytes(manifest_magic);
  put(bytes, checkpoint_format_version);
  put(bytes, std::uint64_t{body.size()});
  bytes.append(body.begin(), body.size());
  put(bytes, checksum_of(bytes));
  if (bytes.size() > manifest_bytes_max)
    return {errc::invalid_argument,
            fmt::format("the manifest takes {} bytes, at most {}; make chunks larger", bytes.size(),
                        manifest_bytes_max)};
  return bytes;
}

result<checkpoint_manifest> decode_manifest(std::string_view bytes) {
  const auto body = open_frame(bytes);
  if (!body) return body.failure();
  auto words = kj::heapArray<capnp::word>(body->size() / sizeof(capnp::word));
  if (!body->empty()) std::memcpy(words.begin(), body->data(), body->size());
  capnp::ReaderOptions options;
  options.traversalLimitInWords = reads_of_a_word * words.size() + 1024;
  try {
    capnp::FlatArrayMessageReader reader(words, options);
    return read_body(reader.getRoot<schema::CheckpointManifest>());
  } catch (const kj::Exception& e) {
    return malformed(fmt::format("the manifest's body of {} bytes cannot be decoded: {}",
                                 body->size(), e.getDescription().cStr()));
  }
}

std::string encode_chunk_header(const chunk_file& file) {
  std::string bytes(chunks_magic);
  put(bytes, checkpoint_format_version);
  put(bytes, file.checkpoint);
  put(bytes, file.shard);
  put(bytes, std::uint32_t{0});
  put(bytes, std::uint64_t{XXH3_64bits(bytes.data(), bytes.size())});
  return bytes;
}

result<void> check_chunk_header(std::string_view bytes, const chunk_file& file) {
  if (bytes.size() != chunk_header_bytes || !bytes.starts_with(chunks_magic))
    return malformed(
        fmt::format("this is no file of chunks: it does not begin with {}", chunks_magic));
  const auto sum_at = bytes.size() - sizeof(std::uint64_t);
  if (XXH3_64bits(bytes.data(), sum_at) != number_at<std::uint64_t>(bytes, sum_at))
    return malformed("the header is damaged: its checksum is wrong");
  const auto version = number_at<std::uint64_t>(bytes, 8);
  if (version == 0 || version > checkpoint_format_version) return newer("file of chunks", version);
  if (bytes != encode_chunk_header(file))
    return malformed(fmt::format("this is shard {} of checkpoint {}",
                                 number_at<std::uint32_t>(bytes, 24),
                                 number_at<std::uint64_t>(bytes, 16)));
  return {};
}

} // namespace gradmesh::store
