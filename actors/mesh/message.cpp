#include "actors/mesh/message.hpp"

#include "config/diagnostic.hpp"

#include <algorithm>

namespace gradmesh::mesh {
namespace {

/// The traversal limit counts every access again, so a handler that reads a list several times
/// needs more than the message's size; a message that points to the same data over and over must
/// still come to an end.
capnp::ReaderOptions reader_options(std::size_t words) {
  capnp::ReaderOptions options;
  options.traversalLimitInWords = 64 * words + 4096;
  options.nestingLimit = 16;
  return options;
}

/// As capnp::messageToFlatArray, without a copy in between for the usual single segment.
std::vector<std::uint64_t> to_words(capnp::MessageBuilder& builder) {
  const auto segments = builder.getSegmentsForOutput();
  if (segments.size() > 1) {
    const auto words = capnp::messageToFlatArray(segments);
    const auto* first = reinterpret_cast<const std::uint64_t*>(words.begin());
    return {first, first + words.size()};
  }
  const auto* first = reinterpret_cast<const std::uint64_t*>(segments[0].begin());
  std::vector<std::uint64_t> words;
  words.reserve(1 + segments[0].size());
  words.push_back(static_cast<std::uint64_t>(segments[0].size()) << 32); // one segment, its size
  words.insert(words.end(), first, first + segments[0].size());
  return words;
}

kj::ArrayPtr<const capnp::word> words_of(const frame& f) {
  return kj::arrayPtr(reinterpret_cast<const capnp::word*>(f.metadata.data()), f.metadata.size());
}

} // namespace

template <class T>
message<T>::content::content(frame_ptr f)
    : frame(std::move(f)), reader(words_of(*frame), reader_options(frame->metadata.size())),
      root(reader.template getRoot<T>()) {}

template <class T>
result<message<T>> message<T>::decode(frame_ptr f) {
  const auto& header = f->header;
  if (header.kind != message_traits<T>::kind)
    return error{errc::malformed_message, std::string("a frame of kind ") +
                                              std::to_string(header.kind) + " is not a " +
                                              message_traits<T>::name};
  try {
    message decoded;
    decoded.content_ = std::make_shared<const content>(std::move(f));
    return decoded;
  } catch (const kj::Exception& e) {
    return malformed(std::string("the metadata of a ") + message_traits<T>::name, e);
  }
}

template <class T>
frame draft<T>::build(address to, service_id from, std::uint64_t in_reply_to,
                      mesh::lane on_lane) const {
  frame f;
  f.metadata = to_words(content_->builder);
  f.body = body;
  f.header.kind = message_traits<T>::kind;
  f.header.lane = on_lane;
  f.header.priority = priority;
  f.header.metadata_bytes = static_cast<std::uint32_t>(f.metadata.size() * sizeof(std::uint64_t));
  f.header.body_bytes = body.bytes.size();
  f.header.in_reply_to = in_reply_to;
  f.header.to_service = to.service;
  f.header.from_service = from;
  return f;
}

#define GRADMESH_INSTANTIATE(type, ordinal, on_lane)                                               \
  template class message<schema::type>;                                                            \
  template class draft<schema::type>;
GRADMESH_MESSAGES(GRADMESH_INSTANTIATE)
#undef GRADMESH_INSTANTIATE

error malformed(const std::string& what, const kj::Exception& e) {
  return {errc::malformed_message,
          what + " does not decode: " + config::printable(e.getDescription().cStr())};
}

std::optional<node_uuid> to_uuid(capnp::Data::Reader bytes) {
  node_uuid uuid;
  if (bytes.size() != uuid.size()) return std::nullopt;
  std::copy(bytes.begin(), bytes.end(), uuid.begin());
  return uuid;
}

draft<schema::Refusal> make_refusal(const error& e) {
  draft<schema::Refusal> refusal;
  refusal->setCode(static_cast<std::uint16_t>(e.code));
  refusal->setText(e.text);
  return refusal;
}

error to_error(schema::Refusal::Reader refusal) {
  return {static_cast<errc>(refusal.getCode()), text(refusal.getText())};
}

} // namespace gradmesh::mesh
