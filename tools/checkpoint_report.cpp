#include "tools/checkpoint_report.hpp"

#include "tools/figures.hpp"
#include "tools/table.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <ranges>
#include <set>
#include <utility>

namespace gradmesh::tools {
namespace {

using json = nlohmann::ordered_json;

constexpr double ms_per_s = 1000;

checkpoint_row look_at(const store::checkpoint_store& from, std::uint64_t number,
                       store::check_depth depth) {
  checkpoint_row row{.number = number, .state = {}, .manifest = {}, .why = {}, .damages = {}};
  auto manifest = from.manifest(number);
  if (!manifest) {
    const auto code = manifest.failure().code;
    row.why = manifest.failure().text;
    row.state = code == errc::not_found ? checkpoint_state::unfinished
                : code == errc::refused ? checkpoint_state::newer
                                        : checkpoint_state::damaged;
    return row;
  }
  row.damages = from.check(*manifest, depth);
  row.manifest = *std::move(manifest);
  if (row.damages.empty()) return row;
  const bool newer = std::ranges::all_of(
      row.damages, [](const auto& damage) { return damage.why.code == errc::refused; });
  row.state = newer ? checkpoint_state::newer : checkpoint_state::damaged;
  return row;
}

double age_s(const checkpoint_row& row, std::int64_t now_ms) {
  if (!row.manifest) return std::nan("");
  const auto age = now_ms - row.manifest->summary.created_unix_ms;
  return age < 0 ? std::nan("") : static_cast<double>(age) / ms_per_s;
}

std::vector<std::string> cells_of(const checkpoint_row& row, std::int64_t now_ms) {
  const auto name = store::checkpoint_name(row.number);
  const std::string state(to_string(row.state));
  if (!row.manifest) return {name, state, "", "", "", "", "", "", "", ""};
  const auto& summary = row.manifest->summary;
  const auto size = store::size_of(*row.manifest);
  return {name,
          state,
          summary.job_name,
          fmt::format("{}/{}", summary.step, summary.steps),
          std::to_string(row.manifest->shards.size()),
          std::to_string(size.chunks),
          std::to_string(size.chunks - size.own_chunks),
          short_bytes(static_cast<double>(size.bytes), ""),
          short_bytes(static_cast<double>(size.own_bytes), ""),
          short_duration(age_s(row, now_ms))};
}

json to_json(const checkpoint_row& row, std::int64_t now_ms) {
  json out{{"number", row.number}, {"state", to_string(row.state)}};
  if (!row.manifest) {
    out["why"] = row.why;
    return out;
  }
  const auto& summary = row.manifest->summary;
  const auto size = store::size_of(*row.manifest);
  out["job"] = summary.job_name;
  out["job_id"] = summary.job_id;
  out["created_by"] = summary.created_by;
  out["created_unix_ms"] = summary.created_unix_ms;
  const auto age = age_s(row, now_ms);
  out["age_s"] = std::isfinite(age) ? json(age) : json(nullptr);
  out["step"] = summary.step;
  out["steps"] = summary.steps;
  out["shards"] = row.manifest->shards.size();
  out["chunks"] = size.chunks;
  out["shared_chunks"] = size.chunks - size.own_chunks;
  out["bytes"] = size.bytes;
  out["written_bytes"] = size.own_bytes;
  out["files"] = json::array();
  for (const auto& entry : row.manifest->files)
    out["files"].push_back({{"path", store::path_of(entry.file)},
                            {"bytes", entry.bytes},
                            {"shared", entry.file.checkpoint != row.number}});
  out["damage"] = json::array();
  for (const auto& damage : row.damages)
    out["damage"].push_back({{"path", damage.path},
                             {"offset", damage.offset},
                             {"bytes", damage.bytes},
                             {"why", damage.why.text}});
  return out;
}

/// JSON of texts that a file gave: bytes that are no UTF-8 are replaced.
std::string dump(const json& object) {
  return object.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

} // namespace

std::string_view to_string(checkpoint_state state) {
  switch (state) {
  case checkpoint_state::complete:
    return "complete";
  case checkpoint_state::damaged:
    return "damaged";
  case checkpoint_state::newer:
    return "newer-format";
  case checkpoint_state::unfinished:
    return "unfinished";
  case checkpoint_state::chunks_only:
    break;
  }
  return "chunks-only";
}

std::optional<std::uint64_t> checkpoint_survey::newest_complete() const {
  for (const auto& row : rows | std::views::reverse)
    if (row.state == checkpoint_state::complete) return row.number;
  return std::nullopt;
}

bool checkpoint_survey::any_damage() const {
  return std::ranges::any_of(rows, [](const checkpoint_row& row) {
    return row.state == checkpoint_state::damaged || row.state == checkpoint_state::newer;
  });
}

result<checkpoint_survey> survey_checkpoints(const store::checkpoint_store& from,
                                             store::check_depth depth) {
  const auto numbers = from.numbers();
  if (!numbers) return numbers.failure();
  checkpoint_survey survey{from.folder(), {}};
  std::set<std::uint64_t> referred_to;
  for (const auto number : *numbers) {
    const auto& row = survey.rows.emplace_back(look_at(from, number, depth));
    if (!row.manifest) continue;
    for (const auto& entry : row.manifest->files)
      referred_to.insert(entry.file.checkpoint);
  }
  for (auto& row : survey.rows)
    if (row.state == checkpoint_state::unfinished && referred_to.contains(row.number))
      row.state = checkpoint_state::chunks_only;
  return survey;
}

std::string survey_text(const checkpoint_survey& survey, std::int64_t now_ms) {
  table t{{{"NAME"},
           {"STATE"},
           {"JOB"},
           {"STEP", true},
           {"SHARDS", true},
           {"CHUNKS", true},
           {"SHARED", true},
           {"SIZE", true},
           {"WRITTEN", true},
           {"AGE", true}},
          {}};
  std::string damages;
  for (const auto& row : survey.rows) {
    t.rows.push_back(cells_of(row, now_ms));
    const auto name = store::checkpoint_name(row.number);
    if (row.state == checkpoint_state::damaged || row.state == checkpoint_state::newer) {
      if (!row.manifest) damages += fmt::format("{}: {}\n", name, row.why);
      for (const auto& damage : row.damages)
        damages += fmt::format("{}: {}\n", name, store::to_string(damage));
    }
  }
  const auto usable = survey.newest_complete();
  return join_lines(render(t)) + damages +
         (usable ? fmt::format("{}: a job goes on from {}\n", survey.folder,
                               store::checkpoint_name(*usable))
                 : fmt::format("{}: no checkpoint to go on from\n", survey.folder));
}

std::string survey_json(const checkpoint_survey& survey, std::int64_t now_ms) {
  const auto usable = survey.newest_complete();
  json report{{"folder", survey.folder},
              {"usable", usable ? json(*usable) : json(nullptr)},
              {"checkpoints", json::array()}};
  for (const auto& row : survey.rows)
    report["checkpoints"].push_back(to_json(row, now_ms));
  return dump(report);
}

std::string chunks_text(const store::checkpoint_manifest& manifest) {
  table t{{{"SHARD", true},
           {"CHUNK", true},
           {"KIND", true},
           {"BYTES", true},
           {"FILE"},
           {"OFFSET", true},
           {"SHARED"}},
          {}};
  for (std::size_t shard = 0; shard < manifest.shards.size(); ++shard)
    for (const auto& chunk : manifest.shards[shard])
      t.rows.push_back({std::to_string(shard), std::to_string(chunk.id), std::to_string(chunk.kind),
                        std::to_string(chunk.bytes), store::path_of(chunk.file),
                        std::to_string(chunk.offset),
                        chunk.file.checkpoint == manifest.number ? "no" : "yes"});
  return join_lines(render(t));
}

std::string chunks_json(const store::checkpoint_manifest& manifest) {
  json report{{"number", manifest.number}, {"chunks", json::array()}};
  for (std::size_t shard = 0; shard < manifest.shards.size(); ++shard)
    for (const auto& chunk : manifest.shards[shard])
      report["chunks"].push_back({{"shard", shard},
                                  {"id", chunk.id},
                                  {"kind", chunk.kind},
                                  {"bytes", chunk.bytes},
                                  {"path", store::path_of(chunk.file)},
                                  {"offset", chunk.offset},
                                  {"shared", chunk.file.checkpoint != manifest.number}});
  return dump(report);
}

} // namespace gradmesh::tools
