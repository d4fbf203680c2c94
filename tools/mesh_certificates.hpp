#pragma once

/// The folder in which `gradmesh tls` keeps a CA and what it issued: ca.crt, ca.key, and for each
/// node NAME.crt and NAME.key. Keys are readable for their owner alone. Nothing is overwritten, and
/// a certificate appears only once its key is on the medium.

#include "actors/env/network/tls/issue.hpp"

#include <string>
#include <vector>

namespace gradmesh::tools {

struct certificate_files {
  std::string certificate;
  std::string key;
  std::int64_t valid_until_s = 0; // since 1970
};

/// Makes the folder, if it is missing, and a CA in it. Errors: those of `write_new_file` and
/// `make_authority`.
result<certificate_files> make_authority_files(const std::string& folder,
                                               const std::string& cluster, unsigned days,
                                               std::int64_t now_s);

struct node_certificate {
  std::string name;
  mesh::role_set roles;
  std::vector<std::string> hosts;
  unsigned days = 0;
};

/// Signs a certificate with the folder's CA. Errors: `not_found` (no CA in the folder), those of
/// `write_new_file` and `issue`.
result<certificate_files> issue_node_files(const std::string& folder,
                                           const node_certificate& wanted, std::int64_t now_s);

} // namespace gradmesh::tools
