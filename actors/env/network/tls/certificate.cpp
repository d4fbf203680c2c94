#include "actors/env/network/tls/certificate.hpp"

#include "config/diagnostic.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <arpa/inet.h>

#include <ctime>

namespace gradmesh::env {
namespace {

constexpr std::string_view authority_scheme = "gradmesh-ca://";

error not_pem(const std::string& file, const std::string& wanted, const std::string& why) {
  return {errc::malformed_data, "'" + file + "' holds no " + wanted + " in PEM form: " + why};
}

/// Whether the error that ended a row of PEM blocks only says that there is no further one.
bool is_end_of_pem(unsigned long code) {
  return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

/// OpenSSL would ask on the terminal.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

std::string text_of(const ASN1_STRING& text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(&text)),
          static_cast<std::size_t>(ASN1_STRING_length(&text))};
}

std::string address_text(const ASN1_OCTET_STRING& address) {
  char text[INET6_ADDRSTRLEN];
  const int length = ASN1_STRING_length(&address);
  const auto* bytes = ASN1_STRING_get0_data(&address);
  if (length == 4) return inet_ntop(AF_INET, bytes, text, sizeof(text));
  if (length == 16) return inet_ntop(AF_INET6, bytes, text, sizeof(text));
  return "an address of " + std::to_string(length) + " bytes";
}

std::int64_t to_time(const ASN1_TIME& time) {
  std::tm parts{};
  return ASN1_TIME_to_tm(&time, &parts) == 1 ? timegm(&parts) : 0;
}

} // namespace

result<std::vector<x509_ptr>> read_certificates(std::string_view pem, const std::string& file) {
  const auto bio = reading_bio(pem);
  std::vector<x509_ptr> certificates;
  ERR_clear_error();
  while (x509_ptr next{PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr)})
    certificates.push_back(std::move(next));
  const bool complete = is_end_of_pem(ERR_peek_last_error());
  const auto why = openssl_reason();
  if (!complete || certificates.empty()) return not_pem(file, "certificate", why);
  return certificates;
}

result<key_ptr> read_key(std::string_view pem, const std::string& file) {
  const auto bio = reading_bio(pem);
  bool asked = false;
  const auto refuse_to_tell = [](char*, int, int, void* was_asked) {
    *static_cast<bool*>(was_asked) = true;
    return -1;
  };
  ERR_clear_error();
  key_ptr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, refuse_to_tell, &asked));
  if (key) return key;
  const auto why = openssl_reason();
  if (asked)
    return not_pem(file, "private key",
                   "it is encrypted, and nobody is there to type a "
                   "passphrase; store it without one, readable for its "
                   "owner alone");
  return not_pem(file, "private key", why);
}

result<tls_peer> identity_of(const X509& certificate) {
  const auto names = alternative_names_of(certificate);
  if (names.uris.size() == 1) return parse_uri(names.uris.front());
  return {errc::malformed_message,
          "the certificate of " +
              config::quoted(common_name(*X509_get_subject_name(&certificate))) + " has " +
              std::to_string(names.uris.size()) +
              " URIs in its alternative names where the one name of a node is wanted, as in "
              "gradmesh://CLUSTER/NODE?roles=worker (see gradmesh tls issue)"};
}

result<std::string> authority_of(const X509& certificate) {
  const auto uris = alternative_names_of(certificate).uris;
  if (uris.size() == 1 && uris.front().starts_with(authority_scheme)) {
    const auto cluster = uris.front().substr(authority_scheme.size());
    if (check_name(cluster)) return cluster;
  }
  return {errc::malformed_data, "the CA does not name its cluster; was it made by 'gradmesh tls "
                                "init'?"};
}

std::string authority_uri(const std::string& cluster) {
  return std::string(authority_scheme) + cluster;
}

alternative_names alternative_names_of(const X509& certificate) {
  const general_names_ptr all(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
  alternative_names names;
  for (int i = 0; all && i < sk_GENERAL_NAME_num(all.get()); ++i) {
    const auto& name = *sk_GENERAL_NAME_value(all.get(), i);
    if (name.type == GEN_URI) names.uris.push_back(text_of(*name.d.uniformResourceIdentifier));
    if (name.type == GEN_DNS) names.hosts.push_back(text_of(*name.d.dNSName));
    if (name.type == GEN_IPADD) names.hosts.push_back(address_text(*name.d.iPAddress));
  }
  return names;
}

bool fits_host(X509& certificate, const std::string& host) {
  if (alternative_names_of(certificate).hosts.empty()) return true;
  // Without the last flag a certificate without DNS names would be asked for its common name.
  constexpr unsigned flags =
      X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;
  return X509_check_host(&certificate, host.data(), host.size(), flags, nullptr) == 1 ||
         X509_check_ip_asc(&certificate, host.c_str(), 0) == 1;
}

std::string common_name(const X509_NAME& name) {
  const int at = X509_NAME_get_index_by_NID(&name, NID_commonName, -1);
  if (at < 0) return {};
  return text_of(*X509_NAME_ENTRY_get_data(X509_NAME_get_entry(&name, at)));
}

std::int64_t valid_from(const X509& certificate) {
  return to_time(*X509_get0_notBefore(&certificate));
}

std::int64_t valid_until(const X509& certificate) {
  return to_time(*X509_get0_notAfter(&certificate));
}

} // namespace gradmesh::env
