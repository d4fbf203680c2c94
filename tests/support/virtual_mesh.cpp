#include "tests/support/virtual_mesh.hpp"

#include <doctest/doctest.h>

namespace gradmesh::testing {
namespace {

template <class T>
decltype(auto) required(result<T>&& got) {
  REQUIRE_MESSAGE(got, got.failure().text);
  if constexpr (!std::is_void_v<T>) return T(std::move(*got));
}

} // namespace

node::node& virtual_mesh::add_node(const std::string& ini) {
  return *required(simulation::virtual_mesh::add_node(ini));
}

void virtual_mesh::add_roles(std::size_t servers, std::size_t workers, std::size_t data_servers,
                             const std::string& extra) {
  required(simulation::virtual_mesh::add_roles(servers, workers, data_servers, extra));
}

void virtual_mesh::submit(const std::string& job, std::chrono::seconds wait,
                          const simulation::resume_point& from) {
  const auto submitted = simulation::virtual_mesh::submit(job, wait, from);
  REQUIRE_MESSAGE((submitted || refusal()), submitted.failure().text);
}

void virtual_mesh::cancel(std::uint64_t job_id) {
  required(simulation::virtual_mesh::cancel(job_id));
}

std::optional<std::uint32_t> virtual_mesh::change(const std::vector<std::string>& options) {
  const auto changed = simulation::virtual_mesh::change(options);
  if (changed) return *changed;
  REQUIRE_MESSAGE(refusal(), changed.failure().text);
  return std::nullopt;
}

job_outcome virtual_mesh::finish() {
  return required(simulation::virtual_mesh::finish());
}

std::size_t virtual_mesh::members() {
  return required(simulation::virtual_mesh::members());
}

store::model_content virtual_mesh::read_model(const std::string& path) {
  return required(simulation::virtual_mesh::read_model(path));
}

} // namespace gradmesh::testing
