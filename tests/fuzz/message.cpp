/// Every message of GRADMESH_MESSAGES: decoding, every field by reflection, and a copy of the
/// whole. What the rooms below the actors make of some of them is in job_message.cpp.

#include "tests/fuzz/frame_input.hpp"
#include "tests/fuzz/target.hpp"

#include "actors/mesh/message.hpp"
#include "actors/mesh/receive.hpp"

#include <capnp/dynamic.h>
#include <capnp/schema.h>
#include <kj/string.h>

namespace gradmesh::fuzz {
namespace {

constexpr kj::byte uuid[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

capnp::DynamicValue::Reader some_value(capnp::Type type) {
  switch (type.which()) {
  case capnp::schema::Type::VOID:
    return capnp::VOID;
  case capnp::schema::Type::BOOL:
    return true;
  case capnp::schema::Type::FLOAT32:
  case capnp::schema::Type::FLOAT64:
    return 1.5;
  case capnp::schema::Type::TEXT:
    return capnp::Text::Reader("a text");
  case capnp::schema::Type::DATA:
    return capnp::Data::Reader(uuid, sizeof uuid);
  case capnp::schema::Type::ENUM:
    return capnp::DynamicEnum(type.asEnum(), 1);
  default:
    return 3u; // the integers; the schema has no other types
  }
}

void set_everything(capnp::DynamicStruct::Builder message) {
  for (const auto field : message.getSchema().getFields()) {
    const auto type = field.getType();
    if (type.isStruct()) {
      set_everything(message.init(field).as<capnp::DynamicStruct>());
    } else if (type.isList()) {
      auto list = message.init(field, 2).as<capnp::DynamicList>();
      for (unsigned i = 0; i < list.size(); ++i)
        if (type.asList().getElementType().isStruct())
          set_everything(list[i].as<capnp::DynamicStruct>());
        else
          list.set(i, some_value(type.asList().getElementType()));
    } else {
      message.set(field, some_value(type));
    }
  }
}

template <class T>
std::string input_of_draft(const mesh::draft<T>& message) {
  return input_of(message.build({}, {}, 0, mesh::message_traits<T>::on));
}

/// One with nothing set and one with everything set.
template <class T>
void add_both(std::vector<std::string>& all) {
  mesh::draft<T> message;
  all.push_back(input_of_draft(message));
  set_everything(*message);
  all.push_back(input_of_draft(message));
}

template <class T>
result<void> read_everything(const mesh::frame_ptr& f) {
  const auto m = mesh::message<T>::decode(f);
  if (!m) return m.failure();
  return mesh::guarded([&]() -> result<void> {
    (void)kj::str(capnp::DynamicStruct::Reader(**m)); // follows every pointer
    capnp::MallocMessageBuilder copy;
    copy.setRoot(**m);
    if constexpr (std::is_same_v<T, schema::Refusal>) (void)mesh::to_error(**m);
    return {};
  });
}

result<void> read_as_told(const mesh::frame_ptr& f) {
  switch (static_cast<schema::MessageKind>(f->header.kind)) {
#define GRADMESH_CASE(type, ordinal, on_lane)                                                      \
  case schema::MessageKind::ordinal:                                                               \
    return read_everything<schema::type>(f);
    GRADMESH_MESSAGES(GRADMESH_CASE)
#undef GRADMESH_CASE
  default:
    return {errc::malformed_message, "no such kind"};
  }
}

} // namespace

std::vector<std::string> seeds() {
  std::vector<std::string> all;
#define GRADMESH_ADD(type, ordinal, on_lane) add_both<schema::type>(all);
  GRADMESH_MESSAGES(GRADMESH_ADD)
#undef GRADMESH_ADD
  return all;
}

bool accepts(std::string_view input) {
  const auto read = read_as_told(frame_of(input).frame);
  if (read) return true;
  promise(read.failure().code == errc::malformed_message, "what does not decode is malformed");
  promise(can_be_shown(read.failure().text), "why a message does not decode can be shown");
  return false;
}

} // namespace gradmesh::fuzz
