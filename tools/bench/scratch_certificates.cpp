#include "tools/bench/scratch_certificates.hpp"

#include "tools/local_mesh.hpp"

namespace gradmesh::tools::bench {
namespace {

const char* name_of(link_side side) {
  return side == link_side::sender ? "sender" : "receiver";
}

} // namespace

result<scratch_certificates> scratch_certificates::make() {
  auto folder = scratch_folder::make();
  if (!folder) return folder.failure();
  if (auto made = make_certificates(folder->path("."),
                                    {name_of(link_side::sender), name_of(link_side::receiver)});
      !made)
    return made.failure();
  return scratch_certificates(*std::move(folder));
}

tls_files scratch_certificates::files(link_side side) const {
  const std::string name = name_of(side);
  return {folder_.path("ca.crt"), folder_.path(name + ".crt"), folder_.path(name + ".key")};
}

} // namespace gradmesh::tools::bench
