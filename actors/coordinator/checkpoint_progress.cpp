#include "actors/coordinator/checkpoint_progress.hpp"

#include "schema/checkpointing.capnp.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <fmt/format.h>

#include <cstring>

namespace gradmesh::coordinator {

store::model_identity identity_of(const job::job_plan& plan) {
  const auto& config = plan.config;
  auto text = fmt::format("model.type = {}\nmodel.l2 = {}\njob.seed = {}\njob.batch_size = {}\n"
                          "job.deterministic = {}\njob.svrg_epochs = {}\noptimizer.type = {}\n"
                          "mesh.partitions = {}\n",
                          to_string(config.model.type), config.model.l2, config.job.seed,
                          config.job.batch_size, config.job.deterministic, config.job.svrg_epochs,
                          config.optimizer.type, config.mesh.partitions);
  if (config.job.deterministic)
    text += fmt::format("job.micro_batches = {}\n", config.job.micro_batches);
  for (const auto width : config.model.hidden)
    text += fmt::format("model.hidden = {}\n", width);
  for (const auto& own : config.optimizer.tables)
    text += fmt::format("optimizer.tables = {}:{}\n", own.table, own.rule);
  return {plan.shape, plan.tables, std::move(text)};
}

std::string encode(const checkpoint_progress& progress) {
  capnp::MallocMessageBuilder builder;
  auto out = builder.initRoot<schema::CheckpointProgress>();
  out.setConfig(progress.config);
  job::encode(progress.done, out.initDone());
  out.setPieces(progress.pieces);
  out.setExamples(progress.examples);
  const auto words = capnp::messageToFlatArray(builder);
  const auto bytes = words.asBytes();
  return {reinterpret_cast<const char*>(bytes.begin()), bytes.size()};
}

result<checkpoint_progress> decode_progress(const std::string& bytes) {
  const error malformed{errc::malformed_data,
                        "what the checkpoint says of its job's progress does not decode"};
  if (bytes.size() % sizeof(capnp::word) != 0) return malformed;
  auto words = kj::heapArray<capnp::word>(bytes.size() / sizeof(capnp::word));
  std::memcpy(words.begin(), bytes.data(), bytes.size());
  try {
    capnp::FlatArrayMessageReader reader(words);
    const auto in = reader.getRoot<schema::CheckpointProgress>();
    auto done = job::decode(in.getDone());
    if (!done || in.getPieces() == 0) return malformed;
    return checkpoint_progress{mesh::text(in.getConfig()), *std::move(done), in.getPieces(),
                               in.getExamples()};
  } catch (const kj::Exception&) {
    return malformed;
  }
}

} // namespace gradmesh::coordinator
