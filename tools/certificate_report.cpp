#include "tools/certificate_report.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>

namespace gradmesh::tools {
namespace {

using json = nlohmann::ordered_json;

constexpr double seconds_per_day = 86'400;

std::string describe_validity(const env::certificate_facts& c, std::int64_t now_s) {
  const auto days = std::floor(static_cast<double>(c.valid_until_s - now_s) / seconds_per_day);
  if (now_s > c.valid_until_s) return "EXPIRED";
  if (now_s < c.valid_from_s) return "NOT YET VALID";
  return fmt::format("{:.0f} days left", days);
}

std::string describe_holder(const env::certificate_facts& c) {
  if (c.node)
    return fmt::format("node {} of cluster {}, roles {}", c.node->node_name, c.node->cluster,
                       mesh::to_string(c.node->roles));
  if (c.authority_for) return fmt::format("the CA of cluster {}", *c.authority_for);
  return "neither a node nor a CA of a mesh";
}

json certificate_json(const env::certificate_facts& c, std::int64_t now_s) {
  json j{{"subject", c.subject},
         {"issuer", c.issuer},
         {"kind", c.node            ? "node"
                  : c.authority_for ? "ca"
                                    : "other"},
         {"cluster", c.node            ? json(c.node->cluster)
                     : c.authority_for ? json(*c.authority_for)
                                       : json()},
         {"node", c.node ? json(c.node->node_name) : json()},
         {"roles", json::array()},
         {"hosts", c.hosts},
         {"valid_from_s", c.valid_from_s},
         {"valid_until_s", c.valid_until_s},
         {"valid", now_s >= c.valid_from_s && now_s <= c.valid_until_s},
         {"sha256", c.sha256}};
  for (const auto r : mesh::all_roles)
    if (c.node && c.node->roles.has(r)) j["roles"].push_back(mesh::to_string(r));
  return j;
}

} // namespace

std::string certificates_text(const std::vector<env::certificate_facts>& all, std::int64_t now_s) {
  std::string text;
  for (const auto& c : all)
    text += fmt::format("{}holder   {}\n"
                        "subject  {}\n"
                        "issuer   {}\n"
                        "hosts    {}\n"
                        "from     {}\n"
                        "until    {} ({})\n"
                        "sha256   {}\n",
                        text.empty() ? "" : "\n", describe_holder(c), c.subject, c.issuer,
                        c.hosts.empty() ? "any" : fmt::format("{}", fmt::join(c.hosts, ", ")),
                        env::time_text(c.valid_from_s), env::time_text(c.valid_until_s),
                        describe_validity(c, now_s), c.sha256);
  return text;
}

std::string certificates_json(const std::vector<env::certificate_facts>& all, std::int64_t now_s) {
  json j{{"certificates", json::array()}};
  for (const auto& c : all)
    j["certificates"].push_back(certificate_json(c, now_s));
  // Whatever somebody wrote into a certificate.
  return j.dump(-1, ' ', false, json::error_handler_t::replace);
}

} // namespace gradmesh::tools
