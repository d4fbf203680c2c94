/// The messages that rooms below the actors read: job plans, batches, exported partitions, and
/// those that carry a job file.

#include "tests/fuzz/frame_input.hpp"
#include "tests/fuzz/target.hpp"

#include "actors/job/batch_body.hpp"
#include "actors/job/job_plan.hpp"
#include "actors/job/partition_body.hpp"
#include "actors/mesh/message.hpp"
#include "actors/mesh/receive.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace gradmesh::fuzz {
namespace {

constexpr std::uint8_t option_dense = 1;

// What batches and partitions are decoded against.
constexpr std::uint32_t features = 10;
constexpr std::uint32_t classes = 3;
constexpr std::uint32_t partitions = 4;
const std::vector<std::size_t> row_widths{2, 3};

const parameters::partition_map& fixed_map() {
  static const auto map =
      *parameters::partition_map::make(10, parameters::contiguous_owners(partitions, 2), 2);
  return map;
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

bool any_zero(const job::job_plan& plan) {
  const auto has_zero = [](const auto& item) { return item.name.find('\0') != std::string::npos; };
  return std::ranges::any_of(plan.tables, has_zero) ||
         std::ranges::any_of(plan.layout.hosts(), has_zero) ||
         std::ranges::any_of(plan.workers, has_zero) ||
         std::ranges::any_of(plan.data_servers, has_zero);
}

result<void> check(const mesh::message<schema::JobPlan>& m, std::uint8_t) {
  const auto plan = job::decode(*m);
  if (!plan) return plan.failure();
  promise(plan->layout.size() > 0 && !plan->workers.empty() && !plan->data_servers.empty(),
          "a plan has shards, workers and data servers");
  const auto are = [](const std::vector<job::place>& places, mesh::service_kind kind) {
    return std::ranges::all_of(places, [&](auto& p) { return p.where.service.kind == kind; });
  };
  promise(are(plan->layout.hosts(), mesh::service_kind::server_shard) &&
              are(plan->workers, mesh::service_kind::worker) &&
              are(plan->data_servers, plan->partitioned() ? mesh::service_kind::local_data
                                                          : mesh::service_kind::data_server),
          "everybody in a plan has the service that it is there for");
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
  // A text is written up to its first zero, and what is left may be none.
  if (any_zero(*plan)) return {};
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
  promise(content->sparse.size() == row_widths.size(), "a partition has rows of each sparse table");
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

template <class T>
result<void> check_as(const frame_input& in) {
  const auto m = mesh::message<T>::decode(in.frame);
  if (!m) return m.failure();
  return mesh::guarded([&] { return check(*m, in.options); });
}

result<void> check_as_told(const frame_input& in) {
  switch (static_cast<schema::MessageKind>(in.frame->header.kind)) {
  case schema::MessageKind::SUBMIT_JOB:
    return check_as<schema::SubmitJob>(in);
  case schema::MessageKind::LOAD_DATA:
    return check_as<schema::LoadData>(in);
  case schema::MessageKind::JOB_PLAN:
    return check_as<schema::JobPlan>(in);
  case schema::MessageKind::BATCH:
    return check_as<schema::Batch>(in);
  case schema::MessageKind::PARTITION_CONTENT:
    return check_as<schema::PartitionContent>(in);
  default:
    return {errc::malformed_message, "none of these kinds"};
  }
}

template <class T>
mesh::frame to_frame(const mesh::draft<T>& message) {
  return message.build({}, {}, 0, mesh::message_traits<T>::on);
}

job::place place_of(mesh::service_kind kind, std::uint8_t number) {
  return {{{number}, {kind, 0}}, "node-" + std::to_string(number)};
}

mesh::frame sample_plan() {
  job::job_plan plan;
  plan.job_id = 1;
  plan.config = *job::parse_config("");
  plan.shape = {learning::layout::sparse, features, classes};
  plan.tables = {{"w", learning::table_kind::sparse, classes, learning::initializer::zeros, 0},
                 {"b", learning::table_kind::dense, classes, learning::initializer::uniform, 0.5F}};
  plan.partitions = partitions;
  plan.layout = job::unreplicated({place_of(mesh::service_kind::server_shard, 1)});
  plan.workers = {place_of(mesh::service_kind::worker, 2), place_of(mesh::service_kind::worker, 3)};
  plan.data_servers = {place_of(mesh::service_kind::data_server, 4)};
  plan.pieces = 2;
  plan.steps_per_epoch = 5;
  plan.steps = 10;
  auto message = job::encode(plan);
  message->setConfig(""); // a short input is changed in more telling places
  return to_frame(message);
}

/// The features ascend over the examples too (2, 1, 0), so that nothing but the offsets says where
/// one ends.
mesh::frame sample_sparse_batch() {
  const learning::dataset data{{learning::layout::sparse, features, classes},
                               {0, 2, 1},
                               {0, 2, 2, 5},
                               {6, 9, 0, 4, 5},
                               {1, -2, 0.5F, 3, 1e-30F}};
  mesh::draft<schema::Batch> batch;
  job::fill_batch(data, std::vector<std::uint32_t>{2, 1, 0}, batch);
  return to_frame(batch);
}

mesh::frame sample_dense_batch() {
  const learning::dataset data{{learning::layout::dense, features, classes},
                               {2, 0},
                               {},
                               {},
                               std::vector<float>(2 * std::size_t{features}, 0.25F)};
  mesh::draft<schema::Batch> batch;
  job::fill_batch(data, std::vector<std::uint32_t>{1, 0}, batch);
  return to_frame(batch);
}

mesh::frame sample_partition() {
  const parameters::partition_content content{
      1, 2, {1, 2, 3}, {{{5, 7}, {1, 2, 3, 4}}, {{6}, {1, 2, 3}}}};
  return to_frame(*job::encode_partition(1, content));
}

template <class T>
mesh::frame sample_with_config() {
  mesh::draft<T> message;
  message->setConfig("[job]\nname = a\n");
  return to_frame(message);
}

} // namespace

std::vector<std::string> seeds() {
  return {input_of(sample_plan()),
          input_of(sample_sparse_batch()),
          input_of(sample_dense_batch(), option_dense),
          input_of(sample_partition()),
          input_of(sample_with_config<schema::SubmitJob>()),
          input_of(sample_with_config<schema::LoadData>())};
}

bool accepts(std::string_view input) {
  const auto checked = check_as_told(frame_of(input));
  promise(checked || !checked.failure().text.empty(), "a refusal says why");
  return static_cast<bool>(checked);
}

} // namespace gradmesh::fuzz
