/// Every message of GRADMESH_MESSAGES from metadata and body: decoding, every field by reflection,
/// a copy of the whole, and what the rooms below the actors make of it.

#include "tests/fuzz/message_seeds.hpp"
#include "tests/fuzz/target.hpp"

#include "actors/job/batch_body.hpp"
#include "actors/job/job_plan.hpp"
#include "actors/job/partition_body.hpp"
#include "actors/mesh/message.hpp"
#include "actors/mesh/receive.hpp"

#include <capnp/dynamic.h>
#include <kj/string.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>

namespace gradmesh::fuzz {
namespace {

constexpr std::uint8_t option_dense = 1;

const parameters::partition_map& fixed_map() {
  static const auto map =
      *parameters::partition_map::make(10, parameters::contiguous_owners(partitions, 2), 2);
  return map;
}

template <class T>
result<void> check(const mesh::message<T>&, std::uint8_t) {
  return {};
}

result<void> check(const mesh::message<schema::Refusal>& m, std::uint8_t) {
  promise(!to_string(mesh::to_error(*m)).empty(), "a refusal can be shown");
  return {};
}

result<void> check(const mesh::message<schema::SubmitJob>& m, std::uint8_t) {
  const auto config = job::parse_config(mesh::text((*m).getConfig()));
  return config ? result<void>() : config.failure();
}

result<void> check(const mesh::message<schema::LoadData>& m, std::uint8_t) {
  const auto config = job::parse_config(mesh::text((*m).getConfig()));
  if (!config) return config.failure();
  (void)job::data_source_of(*config);
  return {};
}

result<void> check(const mesh::message<schema::JobPlan>& m, std::uint8_t) {
  const auto plan = job::decode(*m);
  if (!plan) return plan.failure();
  promise(!plan->shards.empty() && !plan->workers.empty() && !plan->data_servers.empty(),
          "a plan has shards, workers and data servers");
  const auto ranks = static_cast<std::uint32_t>(plan->workers.size());
  for (const auto rank : {0u, ranks - 1}) {
    promise(!job::data_servers_of_worker(*plan, rank).empty(), "each worker has a data server");
    const auto pieces = job::pieces_of_worker(*plan, rank);
    promise(pieces.first < pieces.last && pieces.last <= plan->pieces, "each worker has a piece");
  }
  const auto map = job::make_partition_map(*plan);
  promise(!map || map->dense_size() == learning::dense_size(plan->tables),
          "the map of a plan has its dense size");

  const auto frame_of = [](const job::job_plan& p) {
    return std::make_shared<mesh::frame>(
        job::encode(p).build({}, {}, 0, mesh::message_traits<schema::JobPlan>::on));
  };
  const auto once = frame_of(*plan);
  const auto read = mesh::message<schema::JobPlan>::decode(once);
  promise(static_cast<bool>(read), "a plan that was encoded decodes");
  const auto again = job::decode(**read);
  promise(again && frame_of(*again)->metadata == once->metadata, "a plan survives its encoding");
  return {};
}

result<void> check(const mesh::message<schema::Batch>& m, std::uint8_t options) {
  const learning::data_shape shape{options & option_dense ? learning::layout::dense
                                                          : learning::layout::sparse,
                                   features, classes};
  const auto view = job::view_batch(m, shape);
  if (!view) return view.failure();
  promise(std::ranges::all_of(view->labels, [](auto l) { return l >= 0 && l < int{classes}; }),
          "the labels of a batch are classes");
  promise(std::ranges::all_of(view->values, [](float v) { return std::isfinite(v); }),
          "the values of a batch are finite");
  if (shape.kind == learning::layout::dense) {
    promise(view->values.size() == view->size() * features, "a dense batch is rows x features");
    return {};
  }
  promise(view->offsets.size() == view->size() + 1 && view->indices.size() == view->values.size(),
          "a sparse batch has an offset more than examples and a value for each index");
  for (std::size_t i = 0; i < view->size(); ++i) {
    promise(view->offsets[i] <= view->offsets[i + 1] && view->offsets[i + 1] <= view->values.size(),
            "offsets ascend within the entries");
    for (auto e = view->offsets[i]; e < view->offsets[i + 1]; ++e)
      promise(view->indices[e] < features &&
                  (e == view->offsets[i] || view->indices[e - 1] < view->indices[e]),
              "the features of an example ascend and exist");
  }
  return {};
}

result<void> check(const mesh::message<schema::PartitionContent>& m, std::uint8_t) {
  const auto content = job::decode_partition(m, fixed_map(), row_widths);
  if (!content) return content.failure();
  const auto range = fixed_map().dense_of_partition(content->partition);
  promise(content->dense.size() == range.size() && content->dense_first == range.first,
          "the dense part of a partition is its range of the map");
  const auto encoded = job::encode_partition((*m).getJobId(), *content);
  promise(static_cast<bool>(encoded), "a partition that was decoded can be encoded");
  const auto read = mesh::message<schema::PartitionContent>::decode(
      std::make_shared<mesh::frame>(encoded->build({}, {}, 0, mesh::lane::bulk)));
  const auto again = job::decode_partition(*read, fixed_map(), row_widths);
  promise(again &&
              std::memcmp(again->dense.data(), content->dense.data(),
                          content->dense.size() * sizeof(float)) == 0 &&
              again->sparse.size() == content->sparse.size(),
          "a partition survives its encoding");
  for (std::size_t t = 0; t < row_widths.size(); ++t)
    promise(again->sparse[t].keys == content->sparse[t].keys &&
                content->sparse[t].rows.size() == content->sparse[t].keys.size() * row_widths[t],
            "each key of a partition has a row");
  return {};
}

/// How far a message comes.
enum class outcome { undecodable, refused, taken };

template <class T>
outcome outcome_as(const mesh::frame_ptr& f, std::uint8_t options) {
  const auto m = mesh::message<T>::decode(f);
  if (!m) {
    promise(m.failure().code == errc::malformed_message, "what does not decode is malformed");
    promise(can_be_shown(m.failure().text), "why a message does not decode can be shown");
    return outcome::undecodable;
  }
  const auto walked = mesh::guarded([&]() -> result<void> {
    (void)kj::str(capnp::DynamicStruct::Reader(**m)); // follows every pointer
    capnp::MallocMessageBuilder copy;
    copy.setRoot(**m);
    return {};
  });
  if (!walked) {
    promise(can_be_shown(walked.failure().text), "why a message breaks off can be shown");
    return outcome::undecodable;
  }
  return mesh::guarded([&] { return check(*m, options); }) ? outcome::taken : outcome::refused;
}

outcome outcome_of(const mesh::frame_ptr& f, std::uint8_t options) {
  switch (static_cast<schema::MessageKind>(f->header.kind)) {
#define GRADMESH_CASE(type, ordinal, on_lane)                                                      \
  case schema::MessageKind::ordinal:                                                               \
    return outcome_as<schema::type>(f, options);
    GRADMESH_MESSAGES(GRADMESH_CASE)
#undef GRADMESH_CASE
  default:
    return outcome::undecodable;
  }
}

/// Aligned like a received body, but as long as its bytes, so that a byte read beyond is seen.
mesh::frame_body body_of(std::string_view bytes) {
  constexpr std::align_val_t alignment{64};
  auto* memory = static_cast<std::byte*>(::operator new(bytes.size(), alignment));
  std::shared_ptr<void> owner(memory, [](void* m) { ::operator delete(m, alignment); });
  std::memcpy(memory, bytes.data(), bytes.size());
  return {owner, {memory, bytes.size()}};
}

/// An input: kind, options, words of metadata, metadata, body.
std::string input_of(const mesh::frame& f, std::uint8_t options) {
  std::string input;
  input += static_cast<char>(f.header.kind);
  input += static_cast<char>(options);
  input += static_cast<char>(f.metadata.size() & 0xff);
  input += static_cast<char>(f.metadata.size() >> 8);
  input.append(reinterpret_cast<const char*>(f.metadata.data()), f.header.metadata_bytes);
  return input.append(reinterpret_cast<const char*>(f.body.bytes.data()), f.body.bytes.size());
}

} // namespace

std::vector<std::string> seeds() {
  std::vector<std::string> all;
  for (const auto& f : generic_messages())
    all.push_back(input_of(f, 0));
  const auto add_sample = [&](mesh::frame f, std::uint8_t options) {
    all.push_back(input_of(f, options));
    promise(outcome_of(std::make_shared<mesh::frame>(std::move(f)), options) == outcome::taken,
            "a sample passes the checks of its message");
  };
  add_sample(sample_plan(), 0);
  add_sample(sample_sparse_batch(), 0);
  add_sample(sample_dense_batch(), option_dense);
  add_sample(sample_partition(), 0);
  return all;
}

bool accepts(std::string_view input) {
  options_reader in(input);
  auto f = std::make_shared<mesh::frame>();
  f->header.kind = in.byte();
  const auto options = in.byte();
  const std::size_t words_told = in.two_bytes();
  const auto rest = in.rest();
  f->metadata.resize(std::min(words_told, rest.size() / sizeof(std::uint64_t)));
  f->header.metadata_bytes = static_cast<std::uint32_t>(f->metadata.size() * sizeof(std::uint64_t));
  if (!f->metadata.empty()) std::memcpy(f->metadata.data(), rest.data(), f->header.metadata_bytes);
  f->body = body_of(rest.substr(f->header.metadata_bytes));
  f->header.body_bytes = f->body.bytes.size();
  return outcome_of(f, options) != outcome::undecodable;
}

} // namespace gradmesh::fuzz
