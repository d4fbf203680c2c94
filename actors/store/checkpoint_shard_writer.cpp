#include "actors/store/checkpoint_shard_writer.hpp"

#include "actors/store/checkpoint_format.hpp"

#include <fmt/format.h>

#include <set>
#include <utility>

namespace gradmesh::store {

checkpoint_shard_writer::checkpoint_shard_writer(std::shared_ptr<env::disk> disk,
                                                 std::string folder, chunk_file file,
                                                 std::shared_ptr<const chunk_index> known)
    : disk_(std::move(disk)), path_(std::move(folder) + "/" + path_of(file)), name_(file),
      known_(std::move(known)) {}

result<void> checkpoint_shard_writer::append(std::string_view bytes) {
  if (!file_) {
    auto created = disk_->create(path_);
    if (!created) return created.failure();
    file_ = *std::move(created);
    const auto header = encode_chunk_header(name_);
    if (auto written = file_->append(header); !written) return written;
    file_bytes_ = header.size();
  }
  if (auto written = file_->append(bytes); !written) return written;
  file_bytes_ += bytes.size();
  return {};
}

result<void> checkpoint_shard_writer::add(std::uint64_t id, std::uint32_t kind,
                                          std::string_view bytes) {
  if (failure_) return failure_;
  if (bytes.size() > chunk_bytes_max)
    return {errc::invalid_argument, fmt::format("chunk {} of shard {} has {} bytes, at most {}", id,
                                                name_.shard, bytes.size(), chunk_bytes_max)};
  const auto [entry, added] = chunks_.try_emplace(id);
  if (!added)
    return {errc::invalid_argument,
            fmt::format("chunk {} of shard {} came twice", id, name_.shard)};
  auto& chunk = entry->second;
  chunk.id = id;
  chunk.kind = kind;
  chunk.bytes = bytes.size();
  chunk.checksum = checksum_of(bytes);
  if (const auto* place = known_->find(chunk.checksum, chunk.bytes)) {
    chunk.file = place->file;
    chunk.offset = place->offset;
    return {};
  }
  chunk.file = name_;
  const auto [offset, is_new] =
      written_.try_emplace({chunk.checksum, chunk.bytes}, file_ ? file_bytes_ : chunk_header_bytes);
  chunk.offset = offset->second;
  if (!is_new) return {};
  auto written = append(bytes);
  if (!written) failure_ = written.failure();
  return written;
}

result<shard_chunks> checkpoint_shard_writer::finish(bool synced) {
  if (failure_) return failure_;
  if (file_) {
    if (auto done = synced ? file_->sync() : result<void>(); !done) {
      failure_ = done.failure();
      return failure_;
    }
    file_.reset();
  }
  shard_chunks all;
  std::set<chunk_file> files;
  for (const auto& [id, chunk] : chunks_) {
    all.chunks.push_back(chunk);
    files.insert(chunk.file);
  }
  for (const auto& file : files)
    all.files.push_back({file, file == name_ ? file_bytes_ : known_->bytes_of(file)});
  return all;
}

} // namespace gradmesh::store
