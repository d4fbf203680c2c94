/// Clock logs, as they are read, checked, and opened for a replay.

#include "tests/fuzz/target.hpp"

#include "actors/record/log_builder.hpp"
#include "actors/record/verify.hpp"

#include <cstring>
#include <xxhash.h>

namespace gradmesh::fuzz {
namespace {

// The first byte of an input: what is made right, so that what lies behind its check is reached.
constexpr std::uint8_t option_repair_checksums = 1;

std::string plan_bytes(const std::string& strategy) {
  job::job_plan plan;
  plan.job_id = 1;
  plan.config = *config::parse_job("[job]\nstrategy = " + strategy + "\n", "test").value;
  plan.shape = {learning::layout::sparse, 100, 2};
  plan.tables = {{"weights", learning::table_kind::sparse, 2},
                 {"bias", learning::table_kind::dense, 2}};
  plan.partitions = 4;
  plan.layout = job::unreplicated({{{{1}, {mesh::service_kind::server_shard, 0}}, "server"}});
  plan.workers = {{{{2}, {mesh::service_kind::worker, 0}}, "worker"},
                  {{{3}, {mesh::service_kind::worker, 0}}, "worker"}};
  plan.data_servers = {{{{4}, {mesh::service_kind::data_server, 0}}, "data"}};
  plan.pieces = 2;
  plan.steps_per_epoch = plan.steps = 4;
  const auto frame = job::encode(plan).build({}, {}, 0, mesh::lane::control);
  const auto words = std::as_bytes(std::span(frame.metadata));
  return {reinterpret_cast<const char*>(words.data()), words.size()};
}

/// A step of two workers: summed, or applied as it comes.
std::string sample(const std::string& strategy) {
  const bool sums = strategy == "bsp";
  record::log_builder log;
  log.add(record::plan_record{
      .shard = 0, .epoch = 1, .rules_off = {"push-once"}, .plan = plan_bytes(strategy)});
  std::string bytes = log.take();
  for (std::uint32_t rank = 0; rank < 2; ++rank)
    log.add(record::read_record{rank, 1, 0, 0, 0, {{0, 2}, {5, 1}}});
  for (std::uint32_t rank = 0; rank < 2; ++rank)
    log.add(record::push_record{.what = sums ? record::outcome::held : record::outcome::applied,
                                .rank = rank,
                                .sequence = 0,
                                .part = 0,
                                .count = 1,
                                .read_clock = 0,
                                .clock = sums ? 0 : rank,
                                .staleness = sums ? 0 : rank,
                                .step = 0,
                                .first_piece = rank,
                                .pieces = 1,
                                .sample = 77});
  if (sums) log.add(record::step_record{0, {0, 1}});
  log.add(record::export_record{1, 99});
  log.add(record::gap_record{7});
  log.add(record::end_record{record::ending::job_over, 2, 2, 2, 0, 0});
  return bytes + log.take();
}

/// Gives the blocks the checksums that they should have.
void repair(std::string& log) {
  if (log.size() < record::file_header_bytes) return;
  auto before = XXH3_64bits(log.data(), record::file_header_bytes);
  for (std::size_t at = record::file_header_bytes; log.size() - at >= record::block_header_bytes;) {
    std::uint32_t length = 0;
    std::memcpy(&length, log.data() + at, sizeof length);
    if (length > log.size() - at - record::block_header_bytes) return;
    const std::string_view whole(log);
    before = record::block_checksum(before, whole.substr(at, 8),
                                    whole.substr(at + record::block_header_bytes, length));
    std::memcpy(log.data() + at + 8, &before, sizeof before);
    at += record::block_header_bytes + length;
  }
}

} // namespace

std::vector<std::string> seeds() {
  std::vector<std::string> all;
  for (const std::string strategy : {"bsp", "ssp", "bounded-delay", "async"})
    for (const char options : {'\0', '\1'})
      all.push_back(options + sample(strategy));
  return all;
}

bool accepts(std::string_view input) {
  options_reader in(input);
  const bool repaired = (in.byte() & option_repair_checksums) != 0;
  std::string log(in.rest());
  if (repaired) repair(log);
  record::log_reader reader("log", log);
  bool ended = false;
  for (;;) {
    const auto next = reader.next();
    if (!next) {
      promise(next.failure().code == errc::malformed_data, "what cannot be read is malformed");
      promise(can_be_shown(next.failure().text), "why a log cannot be read can be shown");
      break;
    }
    promise(reader.read_bytes() <= log.size(), "a reader stays in its log");
    if (!*next) {
      ended = true;
      break;
    }
  }
  const record::named_log logs[] = {{"log", log}};
  const auto verified = record::verify(logs);
  promise(ended || !verified, "a log that cannot be read keeps no contract");
  if (!verified)
    promise(can_be_shown(verified.failure().text), "why a log is refused can be shown");
  return ended;
}

} // namespace gradmesh::fuzz
