/// The coordinator's log: a file as it is read at a start, and a record of it.

#include "tests/fuzz/target.hpp"

#include "actors/coordinator/job_log.hpp"

#include <cstring>
#include <xxhash.h>

namespace gradmesh::fuzz {
namespace {

// The first byte of an input: whether the rest is a file, or the body of a record in a whole file.
constexpr char is_body = 1;

// schema/job_log.capnp
constexpr std::size_t prefix_bytes = 8;
constexpr std::size_t suffix_bytes = 8;
constexpr std::uint64_t last_bit = std::uint64_t{1} << 63;

std::string a_record() {
  const auto place = [](std::uint8_t number, mesh::service_kind kind) {
    return job::place{{{number}, {kind, 0}}, "node"};
  };
  coordinator::job_record record{.request = {.id = 1, .config = {}, .client = {}}, .plan = {}};
  record.request.config =
      *job::parse_config("[data]\nformat = csv\ntrain = train.csv\nfeatures = 2\nclasses = 2\n");
  record.phase = schema::JobPhase::TRAINING;
  record.begun = true;
  record.plan.job_id = 1;
  record.plan.config = record.request.config;
  record.plan.shape = {learning::layout::dense, 2, 2};
  record.plan.tables = {{.name = "w", .kind = learning::table_kind::dense, .width = 6}};
  record.plan.partitions = 2;
  record.plan.layout = job::unreplicated({place(1, mesh::service_kind::server_shard)});
  record.plan.workers = {place(2, mesh::service_kind::worker)};
  record.plan.data_servers = {place(3, mesh::service_kind::data_server)};
  record.plan.pieces = 1;
  record.plan.steps_per_epoch = 1;
  record.plan.steps = 1;
  record.incarnations[{1}] = 1;
  record.draining.insert({2});
  return *coordinator::encode_log_record(record);
}

template <class Number>
void put(std::string& out, Number number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

std::string file_with(std::string_view body) {
  std::string record;
  const auto length = body.size() / 8 * 8;
  put(record, static_cast<std::uint32_t>(length));
  put(record, static_cast<std::uint32_t>(XXH3_64bits(record.data(), record.size())));
  record += body.substr(0, length);
  put(record, XXH3_64bits(record.data(), record.size()) | last_bit);
  return coordinator::job_log_header() + record;
}

} // namespace

std::vector<std::string> seeds() {
  const auto record = a_record();
  const auto body = record.substr(prefix_bytes, record.size() - prefix_bytes - suffix_bytes);
  return {'\0' + coordinator::job_log_header() + record + record, is_body + body};
}

bool accepts(std::string_view input) {
  if (input.empty()) return false;
  const std::string file =
      input[0] == is_body ? file_with(input.substr(1)) : std::string(input.substr(1));
  const auto last = coordinator::last_log_record(file);
  if (!last || last->empty()) return false;
  const auto record = coordinator::decode_log_record(*last);
  if (!record) return false;
  const auto again = coordinator::encode_log_record(*record);
  promise(again && coordinator::decode_log_record(*again), "what was read can be written");
  return true;
}

} // namespace gradmesh::fuzz
