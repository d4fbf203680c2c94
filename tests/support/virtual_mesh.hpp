#pragma once

/// A mesh in virtual time (tools/simulation) in which whatever goes wrong with the mesh itself ends
/// the test.

#include "tools/simulation/virtual_mesh.hpp"

namespace gradmesh::testing {

using simulation::job_outcome;

class virtual_mesh : public simulation::virtual_mesh {
public:
  using simulation::virtual_mesh::virtual_mesh;
  node::node& add_node(const std::string& ini);
  void add_roles(std::size_t servers, std::size_t workers, std::size_t data_servers,
                 const std::string& extra = {});
  /// A job that is refused is for the test to look at: `refusal()`.
  void submit(const std::string& job, std::chrono::seconds wait = std::chrono::seconds(10),
              const simulation::resume_point& from = {});
  void cancel(std::uint64_t job_id);
  /// Nothing: `refusal` says why.
  std::optional<std::uint32_t> change(const std::vector<std::string>& options);
  job_outcome finish();
  std::size_t members();
  store::model_content read_model(const std::string& path);
};

} // namespace gradmesh::testing
