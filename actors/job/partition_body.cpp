#include "actors/job/partition_body.hpp"

#include "actors/job/padding.hpp"

#include <algorithm>
#include <string>

namespace gradmesh::job {
result<mesh::draft<schema::PartitionContent>>
encode_partition(std::uint64_t job_id, const parameters::partition_content& content) {
  std::size_t bytes = padded(content.dense.size() * sizeof(float));
  for (const auto& table : content.sparse)
    bytes += table.keys.size() * sizeof(std::uint64_t) + padded(table.rows.size() * sizeof(float));
  if (bytes > mesh::body_bytes_max)
    return error{errc::limit_exceeded, "partition " + std::to_string(content.partition) + " has " +
                                           std::to_string(bytes) + " bytes, one frame takes " +
                                           std::to_string(mesh::body_bytes_max) +
                                           "; set mesh.partitions higher"};

  mesh::draft<schema::PartitionContent> out;
  out->setJobId(job_id);
  out->setPartition(content.partition);
  out->setDenseCount(content.dense.size());
  auto rows = out->initRows(static_cast<unsigned>(content.sparse.size()));
  const auto body = mesh::allocate_body(bytes);
  std::fill(body.bytes.begin(), body.bytes.end(), std::byte{0});
  std::copy(content.dense.begin(), content.dense.end(),
            body.as<float>(0, content.dense.size()).begin());
  std::size_t at = padded(content.dense.size() * sizeof(float));
  for (unsigned t = 0; t < rows.size(); ++t) {
    const auto& table = content.sparse[t];
    rows.set(t, table.keys.size());
    const auto keys = body.as<std::uint64_t>(at, table.keys.size());
    std::copy(table.keys.begin(), table.keys.end(), keys.begin());
    at += keys.size_bytes();
    std::copy(table.rows.begin(), table.rows.end(), body.as<float>(at, table.rows.size()).begin());
    at += padded(table.rows.size() * sizeof(float));
  }
  out.body = body.share();
  return out;
}

result<parameters::partition_content>
decode_partition(const mesh::message<schema::PartitionContent>& content,
                 const parameters::partition_map& map, const std::vector<std::size_t>& row_widths) {
  const auto in = *content;
  const auto malformed = [&](const std::string& what) {
    return error{errc::malformed_message,
                 "the content of partition " + std::to_string(in.getPartition()) + " " + what};
  };
  if (in.getPartition() >= map.partitions())
    return malformed("is none of " + std::to_string(map.partitions()));
  const auto range = map.dense_of_partition(in.getPartition());
  const auto dense = content.array<float>(0, range.size());
  if (in.getDenseCount() != range.size() || !dense)
    return malformed("has " + std::to_string(in.getDenseCount()) + " dense values instead of " +
                     std::to_string(range.size()));
  parameters::partition_content out;
  out.partition = in.getPartition();
  out.dense_first = range.first;
  out.dense.assign(dense->begin(), dense->end());
  const auto rows = in.getRows();
  if (rows.size() != row_widths.size())
    return malformed("has " + std::to_string(rows.size()) + " sparse tables");
  std::uint64_t at = padded(dense->size_bytes());
  for (unsigned t = 0; t < rows.size(); ++t) {
    const auto keys = content.array<std::uint64_t>(at, rows[t]);
    if (!keys) return malformed("ends in the keys of table " + std::to_string(t));
    at += keys->size_bytes();
    const auto values = content.array<float>(at, keys->size() * row_widths[t]);
    if (!values) return malformed("ends in the rows of table " + std::to_string(t));
    at += padded(values->size_bytes());
    out.sparse.push_back({{keys->begin(), keys->end()}, {values->begin(), values->end()}});
  }
  if (at != content.body().size())
    return malformed("has " + std::to_string(content.body().size()) + " bytes instead of " +
                     std::to_string(at));
  return out;
}

} // namespace gradmesh::job
