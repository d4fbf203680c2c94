#include "tests/fuzz/frame_input.hpp"

#include "tests/fuzz/target.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace gradmesh::fuzz {
namespace {

mesh::frame_body body_of(std::string_view bytes) {
  constexpr std::align_val_t alignment{64};
  auto* memory = static_cast<std::byte*>(::operator new(bytes.size(), alignment));
  std::shared_ptr<void> owner(memory, [](void* m) { ::operator delete(m, alignment); });
  std::memcpy(memory, bytes.data(), bytes.size());
  return {owner, {memory, bytes.size()}};
}

} // namespace

std::string input_of(const mesh::frame& f, std::uint8_t options) {
  std::string input;
  input += static_cast<char>(f.header.kind);
  input += static_cast<char>(options);
  input += static_cast<char>(f.metadata.size() & 0xff);
  input += static_cast<char>(f.metadata.size() >> 8);
  input.append(reinterpret_cast<const char*>(f.metadata.data()), f.header.metadata_bytes);
  return input.append(reinterpret_cast<const char*>(f.body.bytes.data()), f.body.bytes.size());
}

frame_input frame_of(std::string_view input) {
  options_reader in(input);
  auto f = std::make_shared<mesh::frame>();
  f->header.kind = in.byte();
  const auto options = in.byte();
  const std::size_t words_told = in.two_bytes();
  const auto rest = in.rest();
  f->metadata.resize(std::min(words_told, rest.size() / sizeof(std::uint64_t)));
  f->header.metadata_bytes = static_cast<std::uint32_t>(f->metadata.size() * sizeof(std::uint64_t));
  if (!f->metadata.empty()) std::memcpy(f->metadata.data(), rest.data(), f->header.metadata_bytes);
  f->body = body_of(rest.substr(f->header.metadata_bytes));
  f->header.body_bytes = f->body.bytes.size();
  return {std::move(f), options};
}

} // namespace gradmesh::fuzz
