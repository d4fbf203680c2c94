#pragma once

/// Where an actor of a job is, and its wire form (schema::Place).

#include "actors/error.hpp"
#include "actors/mesh/message.hpp"

#include <string>
#include <vector>

namespace gradmesh::job {

/// A member actor and the name of its node, for error messages.
struct place {
  mesh::address where;
  std::string name;

  bool operator==(const place&) const = default;
};

void encode(const place& p, schema::Place::Builder out);
void encode(const std::vector<place>& places, capnp::List<schema::Place>::Builder out);

/// `what` names the place in errors. Errors: `malformed_message` unless it is a service of `kind`.
result<place> decode(schema::Place::Reader in, mesh::service_kind kind, const std::string& what);
/// At least one.
result<std::vector<place>> decode(capnp::List<schema::Place>::Reader in, mesh::service_kind kind,
                                  const std::string& what);

} // namespace gradmesh::job
