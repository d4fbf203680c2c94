#include "tools/bench/scratch_certificates.hpp"

#include "tools/mesh_certificates.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <utility>

namespace gradmesh::tools::bench {
namespace {

constexpr unsigned days = 1;

const char* name_of(link_side side) {
  return side == link_side::sender ? "sender" : "receiver";
}

} // namespace

result<scratch_certificates> scratch_certificates::make() {
  auto pattern = (std::filesystem::temp_directory_path() / "gradmesh-bench-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr)
    return error{errc::io_failed,
                 "cannot make the folder " + pattern + ": " + std::strerror(errno)};
  scratch_certificates made{std::filesystem::path(pattern)};
  const auto now = static_cast<std::int64_t>(std::time(nullptr));
  if (auto ca = make_authority_files(pattern, "bench", days, now); !ca) return ca.failure();
  for (const auto side : {link_side::sender, link_side::receiver}) {
    const auto role = side == link_side::sender ? mesh::role::worker : mesh::role::server;
    if (auto issued = issue_node_files(pattern, {name_of(side), {role}, {}, days}, now); !issued)
      return issued.failure();
  }
  return made;
}

scratch_certificates::scratch_certificates(scratch_certificates&& other) noexcept
    : folder_(std::exchange(other.folder_, {})) {}

scratch_certificates::~scratch_certificates() {
  std::error_code ignored; // a folder that stays in the temporary ones does no harm
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

tls_files scratch_certificates::files(link_side side) const {
  const auto file = [&](const std::string& name) { return (folder_ / name).string(); };
  const std::string name = name_of(side);
  return {file("ca.crt"), file(name + ".crt"), file(name + ".key")};
}

} // namespace gradmesh::tools::bench
