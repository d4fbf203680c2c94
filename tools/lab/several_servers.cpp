/// METHODS 8, several parameter servers: dense parameters are cut evenly whatever their tensors,
/// rows go by the hash of their key.

#include "tools/lab/lab_data.hpp"
#include "tools/lab/methods.hpp"
#include "tools/lab/training.hpp"

#include <algorithm>
#include <map>

namespace gradmesh::tools::lab {
namespace {

result<check> same_model(const rule_set& rules) {
  std::vector<experiment> all;
  for (const std::size_t servers : {1, 2, 3, 7}) {
    all.push_back(training(rules, {"job.deterministic=true", "job.epochs=2"}));
    all.back().servers = servers;
  }
  const auto models = different_models(all);
  if (!models) return models.failure();
  return exactly("different-models", "from 1, 2, 3 and 7 servers", *models, 1);
}

/// Tensors of 5120, 256, 2048, 8, 24 and 3 floats.
result<check> even_load(const rule_set& rules) {
  experiment e;
  e.rules = rules;
  e.servers = 3;
  e.data = dense_examples(5, 512, 20, 3);
  e.options = {"model.type=mlp", "model.hidden=256,8", "mesh.partitions=32", "job.epochs=1"};
  std::map<mesh::node_uuid, double> bytes; // pushed to each shard
  e.tap = [&](const mesh::node_uuid& to, const mesh::frame_ptr& f) {
    if (f->header.kind == mesh::message_traits<schema::Push>::kind)
      bytes[to] += static_cast<double>(f->wire_bytes());
    return 1U;
  };
  if (const auto done = run(e); !done) return done.failure();
  double most = 0;
  double sum = 0;
  for (const auto& [shard, pushed] : bytes) {
    most = std::max(most, pushed);
    sum += pushed;
  }
  return at_most("uneven-load", "most bytes pushed to one of 3 servers, by their mean",
                 most * static_cast<double>(e.servers) / sum, 1.2);
}

} // namespace

result<checks> several_servers(const rule_set& rules) {
  const auto same = same_model(rules);
  if (!same) return same.failure();
  const auto even = even_load(rules);
  if (!even) return even.failure();
  return checks{*same, *even};
}

} // namespace gradmesh::tools::lab
