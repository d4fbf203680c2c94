#include "actors/env/network/tls/certificate_facts.hpp"

#include "actors/env/network/tls/certificate.hpp"

#include "config/diagnostic.hpp"

#include <array>
#include <ctime>

namespace gradmesh::env {
namespace {

std::string fingerprint(const X509& certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  X509_digest(&certificate, EVP_sha256(), digest.data(), &size);
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (unsigned i = 0; i < size; ++i)
    text.append({digits[digest[i] >> 4], digits[digest[i] & 15]});
  return text;
}

certificate_facts describe(const X509& c) {
  certificate_facts facts;
  facts.subject = config::printable(common_name(*X509_get_subject_name(&c)));
  facts.issuer = config::printable(common_name(*X509_get_issuer_name(&c)));
  if (auto node = identity_of(c)) facts.node = *std::move(node);
  if (auto cluster = authority_of(c)) facts.authority_for = *std::move(cluster);
  for (const auto& host : alternative_names_of(c).hosts)
    facts.hosts.push_back(config::printable(host));
  facts.valid_from_s = valid_from(c);
  facts.valid_until_s = valid_until(c);
  facts.sha256 = fingerprint(c);
  return facts;
}

} // namespace

result<std::vector<certificate_facts>> describe_certificates(std::string_view pem,
                                                             const std::string& file) {
  const auto certificates = read_certificates(pem, file);
  if (!certificates) return certificates.failure();
  std::vector<certificate_facts> all;
  for (const auto& c : *certificates)
    all.push_back(describe(*c));
  return all;
}

std::string time_text(std::int64_t seconds) {
  const std::time_t time = seconds;
  std::tm parts{};
  char text[64];
  gmtime_r(&time, &parts);
  return {text, std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &parts)};
}

} // namespace gradmesh::env
