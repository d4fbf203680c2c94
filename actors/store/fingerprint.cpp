#include "actors/store/fingerprint.hpp"

#include <openssl/evp.h>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

static_assert(std::endian::native == std::endian::little, "numbers are hashed as they lie");

namespace gradmesh::store {

namespace {

/// SHA-256 over pieces; small ones are gathered, because a call into OpenSSL costs as much as
/// hashing some hundred bytes. After a failure it does nothing, and `finish` says so.
class sha256 {
public:
  sha256() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    ok_ = context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1;
  }

  void add(std::span<const std::byte> bytes) {
    if (bytes.size() > gathered_.size() - used_) flush();
    if (bytes.size() > gathered_.size()) {
      hash(bytes);
      return;
    }
    std::copy(bytes.begin(), bytes.end(), gathered_.begin() + static_cast<std::ptrdiff_t>(used_));
    used_ += bytes.size();
  }

  template <class Number>
  void add_number(Number number) {
    add(std::as_bytes(std::span(&number, 1)));
  }

  result<std::string> finish() {
    flush();
    std::array<unsigned char, 32> digest{};
    if (!ok_ || EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) != 1)
      return {errc::io_failed, "OpenSSL could not compute a SHA-256; look whether its "
                               "configuration (openssl list -digest-algorithms) offers it"};
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const auto byte : digest) {
      text += digits[byte >> 4];
      text += digits[byte & 15];
    }
    return text;
  }

private:
  void hash(std::span<const std::byte> bytes) {
    ok_ = ok_ && EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1;
  }
  void flush() {
    hash(std::span(gathered_).first(used_));
    used_ = 0;
  }

  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
  bool ok_ = false;
  std::array<std::byte, 16 * 1024> gathered_;
  std::size_t used_ = 0;
};

} // namespace

result<std::string> parameters_sha256(const model_content& content) {
  sha256 hash;
  auto dense = std::span(content.dense);
  auto sparse = content.sparse.begin();
  for (const auto& table : content.tables) {
    const auto width = static_cast<std::size_t>(table.width);
    hash.add_number(std::uint64_t{table.name.size()});
    hash.add(std::as_bytes(std::span(table.name)));
    hash.add_number(static_cast<std::uint8_t>(table.kind));
    hash.add_number(std::uint64_t{table.width});
    if (table.kind == learning::table_kind::dense) {
      hash.add(std::as_bytes(dense.first(width)));
      dense = dense.subspan(width);
      continue;
    }
    hash.add_number(std::uint64_t{sparse->keys.size()});
    for (std::size_t i = 0; i < sparse->keys.size(); ++i) {
      hash.add_number(sparse->keys[i]);
      hash.add(std::as_bytes(std::span(sparse->rows).subspan(i * width, width)));
    }
    ++sparse;
  }
  return hash.finish();
}

} // namespace gradmesh::store
