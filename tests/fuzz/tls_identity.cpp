/// Who a certificate says that its node is: the URI, and whole certificates.

#include "tests/fuzz/target.hpp"

#include "actors/env/network/tls/certificate.hpp"

namespace gradmesh::fuzz {
namespace {

// The first byte of an input: what the rest is.
enum kind : std::uint8_t { uri, der, pem, kinds };

std::string input_of(kind what, std::string_view rest) {
  return std::string(1, static_cast<char>(what)).append(rest);
}

void check_peer(const env::tls_peer& who) {
  promise(!who.roles.empty(), "a peer has a role");
  promise(!who.cluster.empty() && !who.node_name.empty(), "a peer has a name and a cluster");
  promise(can_be_shown(env::to_uri(who)), "who a peer is can be shown");
  const auto again = env::parse_uri(env::to_uri(who));
  promise(again && *again == who, "who a peer is survives being written");
}

bool take(const result<env::tls_peer>& who) {
  if (who)
    check_peer(*who);
  else
    promise(can_be_shown(who.failure().text), "why a name is refused can be shown");
  return static_cast<bool>(who);
}

bool accepts_certificate(X509& certificate) {
  (void)env::alternative_names_of(certificate);
  (void)env::fits_host(certificate, "localhost");
  (void)env::fits_host(certificate, "127.0.0.1");
  (void)env::valid_from(certificate);
  (void)env::valid_until(certificate);
  return take(env::identity_of(certificate));
}

bool accepts_der(std::string_view text) {
  const auto* at = reinterpret_cast<const unsigned char*>(text.data());
  const env::x509_ptr certificate(d2i_X509(nullptr, &at, static_cast<long>(text.size())));
  return certificate && accepts_certificate(*certificate);
}

bool accepts_pem(std::string_view text) {
  const auto read = env::read_certificates(text, "input");
  if (!read) {
    promise(can_be_shown(read.failure().text), "why a file is no certificate can be shown");
    return false;
  }
  promise(!read->empty(), "a file that was read has a certificate");
  for (const auto& certificate : *read)
    if (!accepts_certificate(*certificate)) return false;
  return true;
}

// gradmesh tls issue --name node-1 --roles worker,server --host localhost --host 127.0.0.1
constexpr std::string_view sample_pem = R"(-----BEGIN CERTIFICATE-----
MIIB9zCCAZ6gAwIBAgIQbC7xSYDwhE7jwFFxIMX5rTAKBggqhkjOPQQDAjAeMRww
GgYDVQQDDBNHcmFkbWVzaCBDQSBvZiBmdXp6MCAXDTI2MTEyMTE5NTMwMVoYDzIx
MjUwNjE1MjA1MzAxWjARMQ8wDQYDVQQDDAZub2RlLTEwWTATBgcqhkjOPQIBBggq
hkjOPQMBBwNCAATK6Cg6/jR+AiviVL9NcusfIsImksp6Kd8fMxUAhfwEtTYdg4Lx
1BgjnG+9m7cVMZpxumb0Ta+/A2zlA/Li9Akho4HIMIHFMAwGA1UdEwEB/wQCMAAw
DgYDVR0PAQH/BAQDAgeAMB0GA1UdJQQWMBQGCCsGAQUFBwMBBggrBgEFBQcDAjAd
BgNVHQ4EFgQU5p36A8JY4bDfh0csdQSU0L8x1pQwHwYDVR0jBBgwFoAU8GfH1joH
bVfZkwbvX/BlkuaPitcwRgYDVR0RBD8wPYYqZ3JhZG1lc2g6Ly9mdXp6L25vZGUt
MT9yb2xlcz1zZXJ2ZXIsd29ya2Vygglsb2NhbGhvc3SHBH8AAAEwCgYIKoZIzj0E
AwIDRwAwRAIgDp2/PEvIEcMFB+sbvfSWwBHBO4tkYb3j3Z9t7AgJM+4CIFawxcbG
16dOvAhcNNJtUqFJ8NCzMVHVjro8+KykkFvh
-----END CERTIFICATE-----
)";

std::string der_of(std::string_view pem_text) {
  const auto certificates = *env::read_certificates(pem_text, "sample");
  unsigned char* bytes = nullptr;
  const int length = i2d_X509(certificates.front().get(), &bytes);
  promise(length > 0, "the sample can be written as DER");
  std::string text(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(length));
  OPENSSL_free(bytes);
  return text;
}

} // namespace

std::vector<std::string> seeds() {
  return {input_of(uri, "gradmesh://cluster/node-1?roles=coordinator,server"),
          input_of(uri, "gradmesh://a.b_c+d-e/n?roles=worker,data-server,client"),
          input_of(der, der_of(sample_pem)), input_of(pem, sample_pem)};
}

bool accepts(std::string_view input) {
  options_reader in(input);
  switch (in.byte() % kinds) {
  case uri:
    return take(env::parse_uri(in.rest()));
  case der:
    return accepts_der(in.rest());
  default:
    return accepts_pem(in.rest());
  }
}

} // namespace gradmesh::fuzz
