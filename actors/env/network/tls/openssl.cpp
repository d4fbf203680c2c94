#include "actors/env/network/tls/openssl.hpp"

#include <openssl/err.h>

namespace gradmesh::env {

std::string openssl_reason() {
  const auto code = ERR_peek_last_error();
  ERR_clear_error();
  if (const auto* reason = ERR_reason_error_string(code)) return reason;
  if (code == 0) return "OpenSSL gives no reason";
  char text[256];
  ERR_error_string_n(code, text, sizeof(text));
  return text;
}

bio_ptr reading_bio(std::string_view text) {
  return bio_ptr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string_view written(BIO& memory) {
  const char* data = nullptr;
  const auto size = BIO_get_mem_data(&memory, &data);
  return {data, static_cast<std::size_t>(size)};
}

} // namespace gradmesh::env
