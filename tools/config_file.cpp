#include "tools/config_file.hpp"

#include "config/ini_file.hpp"
#include "config/job_config.hpp"
#include "config/node_config.hpp"
#include "tools/nouns.hpp"

#include <algorithm>

namespace gradmesh::tools {
namespace {

bool is_job_section(const config::ini_section& s) {
  return is_one_of(s.name, {"job", "data", "model", "optimizer", "mesh"});
}

bool is_node_section(const config::ini_section& s) {
  return is_one_of(s.name, {"node", "tls", "server", "worker"});
}

template <class Config>
config_file described(config::loaded<Config> loaded, const char* kind) {
  return {loaded ? exit_ok : exit_invalid_config, kind, std::move(loaded.options),
          std::move(loaded.diagnostics)};
}

} // namespace

config_file parse_config_file(std::string_view text, const std::string& name,
                              const config::overrides& over) {
  const auto sections = config::scan_ini(text, name).sections;
  const auto of_jobs = std::count_if(sections.begin(), sections.end(), is_job_section);
  const auto of_nodes = std::count_if(sections.begin(), sections.end(), is_node_section);
  if (of_nodes > of_jobs) return described(config::parse_node(text, name, over), "node");
  if (of_jobs > 0 || sections.empty()) return described(config::parse_job(text, name, over), "job");
  return {exit_invalid_config,
          "",
          {},
          {{name, sections.front().line,
            "neither a job file ([job], [data], [model], [optimizer], [mesh]) nor a node file "
            "([node], [tls], [server], [worker]): the first section is " +
                config::quoted(sections.front().name)}}};
}

config_file load_config_file(const std::string& path, const config::overrides& over) {
  const auto text = config::read_ini(path);
  if (!text) return {exit_code_of(text.failure().code), "", {}, {{path, 0, text.failure().text}}};
  return parse_config_file(*text, path, over);
}

std::optional<std::string> sample_config(std::string_view kind) {
  if (kind == "job") return config::sample_job();
  for (const auto& role : names_of(config::role{}))
    if (role.name == kind) return config::sample_node(role.value);
  return std::nullopt;
}

} // namespace gradmesh::tools
