#include "actors/env/disk.hpp"
#include "tools/certificate_report.hpp"
#include "tools/command.hpp"
#include "tools/mesh_certificates.hpp"
#include "tools/nouns.hpp"
#include "tools/options.hpp"

#include <ctime>
#include <iostream>

namespace gradmesh::tools {
namespace {

constexpr unsigned authority_days = 3'650;
constexpr unsigned node_days = 365;
constexpr unsigned days_max = 36'500;
constexpr std::uint64_t pem_bytes_max = 1u << 20;

bool are_days(unsigned days) {
  return days >= 1 && days <= days_max;
}

exit_code wrong_days(unsigned days) {
  return usage_error("tls", "--days " + std::to_string(days) + " is not in 1.." +
                                std::to_string(days_max));
}

exit_code make_authority(const po::variables_map& values) {
  const auto folder = values["DIR"].as<std::string>();
  const auto cluster = values["cluster"].as<std::string>();
  const auto days = values["days"].as<unsigned>();
  if (!are_days(days)) return wrong_days(days);
  const auto made = make_authority_files(folder, cluster, days, std::time(nullptr));
  if (!made) return report_failure("tls", made.failure());
  std::cout << made->certificate << "  the CA of cluster " << cluster << ", valid until "
            << env::time_text(made->valid_until_s) << "\n"
            << made->key << "  its key\n";
  std::cerr << "\nCopy the certificate to every node. Keep the key from everybody: who has it can "
               "join as anything.\nNext: gradmesh tls issue "
            << folder << " --name NODE --roles worker\n";
  return exit_ok;
}

exit_code issue_node(const po::variables_map& values) {
  for (const auto* needed : {"name", "roles"})
    if (values.count(needed) == 0)
      return usage_error("tls", "--" + std::string(needed) + " is missing");
  const auto folder = values["DIR"].as<std::string>();
  const auto roles = mesh::parse_roles(values["roles"].as<std::string>());
  if (!roles) return usage_error("tls", "--roles " + roles.failure().text);
  node_certificate wanted{
      values["name"].as<std::string>(), *roles, {}, values["days"].as<unsigned>()};
  if (!are_days(wanted.days)) return wrong_days(wanted.days);
  if (values.count("host") > 0) wanted.hosts = values["host"].as<std::vector<std::string>>();

  const auto made = issue_node_files(folder, wanted, std::time(nullptr));
  if (!made) return report_failure("tls", made.failure());
  std::cout << made->certificate << "  node " << wanted.name << ", roles "
            << mesh::to_string(wanted.roles) << ", valid until "
            << env::time_text(made->valid_until_s) << "\n"
            << made->key << "  its key\n";
  std::cerr << "\nMove both to the node, and name them in its node file:\n[tls]\nca = " << folder
            << "/ca.crt\ncertificate = " << made->certificate << "\nkey = " << made->key << "\n";
  return exit_ok;
}

exit_code show_file(const po::variables_map& values) {
  const auto form = values["output"].as<std::string>();
  if (!is_one_of(form, {"table", "json"}))
    return usage_error("tls", "-o '" + form + "' is neither table nor json");
  const auto path = values["FILE"].as<std::string>();
  const auto text = env::make_disk()->read(path, pem_bytes_max);
  if (!text) return report_failure("tls", text.failure());
  const auto facts = env::describe_certificates(*text, path);
  if (!facts) return report_failure("tls", facts.failure());
  const auto now = std::time(nullptr);
  std::cout << (form == "json" ? certificates_json(*facts, now) + '\n'
                               : certificates_text(*facts, now));
  return exit_ok;
}

exit_code init(const std::vector<std::string>& arguments) {
  verb_options options{.usage = "gradmesh tls init DIR [--cluster NAME] [--days N]",
                       .description =
                           "Makes the CA of a mesh: DIR/ca.crt and DIR/ca.key. Its nodes trust "
                           "what it has signed, and nothing else.",
                       .positional = {"DIR"},
                       .required = 1};
  options.named.add_options()("cluster", po::value<std::string>()->default_value("gradmesh"),
                              "name of the mesh, as node.cluster has it")(
      "days", po::value<unsigned>()->default_value(authority_days), "how long it is valid");
  return with_options(std::move(options), arguments, make_authority);
}

exit_code issue(const std::vector<std::string>& arguments) {
  verb_options options{.usage = "gradmesh tls issue DIR --name NODE --roles ROLE,... [options]",
                       .description =
                           "Signs a certificate for a node with the CA in DIR: DIR/NODE.crt and "
                           "DIR/NODE.key.\nA node can do what its roles allow, whatever its "
                           "configuration says. People who submit\njobs or look at the mesh have "
                           "the role client.",
                       .positional = {"DIR"},
                       .required = 1};
  options.named.add_options()("name", po::value<std::string>(), "name of the node")(
      "roles", po::value<std::string>(),
      "one or more of coordinator, server, worker, data-server, client")(
      "days", po::value<unsigned>()->default_value(node_days), "how long it is valid")(
      "host", po::value<std::vector<std::string>>()->composing(),
      "a name or address that the node may be dialled at; may be repeated; without: any");
  return with_options(std::move(options), arguments, issue_node);
}

exit_code show(const std::vector<std::string>& arguments) {
  verb_options options{.usage = "gradmesh tls show FILE [-o table|json]",
                       .description = "Says what the certificates in a PEM file say.",
                       .positional = {"FILE"},
                       .required = 1};
  options.named.add_options()("output,o", po::value<std::string>()->default_value("table"),
                              "table or json");
  return with_options(std::move(options), arguments, show_file);
}

constexpr noun nouns[] = {
    {"init", "DIR makes the CA of a mesh", init},
    {"issue", "DIR --name NODE --roles ROLE,... makes a node's certificate", issue},
    {"show", "FILE says what is in a certificate", show},
};

} // namespace

exit_code tls_command(const std::vector<std::string>& arguments) {
  return run_noun("tls", nouns, arguments);
}

} // namespace gradmesh::tools
