#include "actors/job/place.hpp"

namespace gradmesh::job {

void encode(const place& p, schema::Place::Builder out) {
  out.setUuid(mesh::to_data(p.where.node));
  out.setService(p.where.service.to_wire());
  out.setName(p.name);
}

void encode(const std::vector<place>& places, capnp::List<schema::Place>::Builder out) {
  for (unsigned i = 0; i < out.size(); ++i)
    encode(places[i], out[i]);
}

result<place> decode(schema::Place::Reader in, mesh::service_kind kind, const std::string& what) {
  const auto uuid = mesh::to_uuid(in.getUuid());
  const auto service = mesh::service_id::from_wire(in.getService());
  if (!uuid || service.kind != kind)
    return error{errc::malformed_message, what + " is no such service"};
  return place{{*uuid, service}, mesh::text(in.getName())};
}

result<std::vector<place>> decode(capnp::List<schema::Place>::Reader in, mesh::service_kind kind,
                                  const std::string& what) {
  std::vector<place> places;
  for (const auto entry : in) {
    auto decoded = decode(entry, kind, what + " number " + std::to_string(places.size()));
    if (!decoded) return decoded.failure();
    places.push_back(std::move(*decoded));
  }
  if (places.empty()) return error{errc::malformed_message, "there is no " + what};
  return places;
}

} // namespace gradmesh::job
