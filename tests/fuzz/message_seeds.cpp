#include "tests/fuzz/message_seeds.hpp"

#include "actors/job/batch_body.hpp"
#include "actors/job/job_plan.hpp"
#include "actors/job/partition_body.hpp"
#include "actors/mesh/message.hpp"

#include <capnp/dynamic.h>
#include <capnp/schema.h>

namespace gradmesh::fuzz {
namespace {

constexpr kj::byte uuid[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

capnp::DynamicValue::Reader some_value(capnp::Type type) {
  switch (type.which()) {
  case capnp::schema::Type::BOOL:
    return true;
  case capnp::schema::Type::FLOAT32:
  case capnp::schema::Type::FLOAT64:
    return 1.5;
  case capnp::schema::Type::TEXT:
    return capnp::Text::Reader("# a comment, where a text is a job file");
  case capnp::schema::Type::DATA:
    return capnp::Data::Reader(uuid, sizeof uuid);
  case capnp::schema::Type::ENUM:
    return capnp::DynamicEnum(type.asEnum(), 1);
  default:
    return 3u; // the integers; the schema has no other types
  }
}

void set_everything(capnp::DynamicStruct::Builder message) {
  for (const auto field : message.getSchema().getFields()) {
    const auto type = field.getType();
    if (type.isStruct()) {
      set_everything(message.init(field).as<capnp::DynamicStruct>());
    } else if (type.isList()) {
      auto list = message.init(field, 2).as<capnp::DynamicList>();
      for (unsigned i = 0; i < list.size(); ++i)
        if (type.asList().getElementType().isStruct())
          set_everything(list[i].as<capnp::DynamicStruct>());
        else
          list.set(i, some_value(type.asList().getElementType()));
    } else {
      message.set(field, some_value(type));
    }
  }
}

template <class T>
mesh::frame to_frame(const mesh::draft<T>& message) {
  return message.build({}, {}, 0, mesh::message_traits<T>::on);
}

template <class T>
void add_both(std::vector<mesh::frame>& all) {
  mesh::draft<T> message;
  all.push_back(to_frame(message));
  set_everything(*message);
  all.push_back(to_frame(message));
}

job::place place_of(mesh::service_kind kind, std::uint8_t number) {
  return {{{number}, {kind, 0}}, "node-" + std::to_string(number)};
}

} // namespace

std::vector<mesh::frame> generic_messages() {
  std::vector<mesh::frame> all;
#define GRADMESH_ADD(type, ordinal, on_lane) add_both<schema::type>(all);
  GRADMESH_MESSAGES(GRADMESH_ADD)
#undef GRADMESH_ADD
  return all;
}

mesh::frame sample_plan() {
  job::job_plan plan;
  plan.job_id = 1;
  plan.config = *job::parse_config("");
  plan.shape = {learning::layout::sparse, features, classes};
  plan.tables = {{"w", learning::table_kind::sparse, classes, learning::initializer::zeros, 0},
                 {"b", learning::table_kind::dense, classes, learning::initializer::uniform, 0.5F}};
  plan.partitions = partitions;
  plan.shards = {place_of(mesh::service_kind::server_shard, 1)};
  plan.workers = {place_of(mesh::service_kind::worker, 2), place_of(mesh::service_kind::worker, 3)};
  plan.data_servers = {place_of(mesh::service_kind::data_server, 4)};
  plan.pieces = 2;
  plan.steps_per_epoch = 5;
  plan.steps = 10;
  return to_frame(job::encode(plan));
}

mesh::frame sample_sparse_batch() {
  const learning::dataset data{{learning::layout::sparse, features, classes},
                               {0, 2, 1},
                               {0, 2, 2, 5},
                               {1, 9, 0, 4, 5},
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

} // namespace gradmesh::fuzz
