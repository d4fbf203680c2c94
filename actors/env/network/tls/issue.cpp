#include "actors/env/network/tls/issue.hpp"

#include "actors/env/network/tls/certificate.hpp"
#include "actors/env/network/tls/certificate_facts.hpp"

#include "config/diagnostic.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>

namespace gradmesh::env {
namespace {

/// ub-common-name of RFC 5280; longer names stand whole in the URI.
constexpr std::size_t common_name_bytes_max = 64;
constexpr std::size_t host_bytes_max = 253;

error openssl_failed(const std::string& what) {
  return {errc::io_failed, "OpenSSL cannot " + what + ": " + openssl_reason()};
}

result<std::string> to_pem(const X509& certificate) {
  const bio_ptr memory(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(memory.get(), &certificate) != 1)
    return openssl_failed("write a certificate");
  return std::string(written(*memory));
}

result<std::string> to_pem(const EVP_PKEY& key) {
  const bio_ptr memory(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PKCS8PrivateKey(memory.get(), &key, nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return openssl_failed("write a key");
  return std::string(written(*memory));
}

/// 127 random bits: never used twice by one CA, though it keeps no list.
bool set_serial(X509& certificate) {
  std::array<unsigned char, 16> bytes;
  if (RAND_bytes(bytes.data(), bytes.size()) != 1) return false;
  bytes[0] = static_cast<unsigned char>((bytes[0] & 0x3f) | 0x40); // positive, of full length
  const std::unique_ptr<BIGNUM, freed_by<BN_free>> number(
      BN_bin2bn(bytes.data(), bytes.size(), nullptr));
  return BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(&certificate)) != nullptr;
}

bool set_common_name(X509& certificate, const std::string& name) {
  const auto shown = name.substr(0, common_name_bytes_max);
  return X509_NAME_add_entry_by_NID(X509_get_subject_name(&certificate), NID_commonName,
                                    MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(shown.data()),
                                    static_cast<int>(shown.size()), -1, 0) == 1;
}

bool set_validity(X509& certificate, const validity& valid) {
  return ASN1_TIME_set(X509_getm_notBefore(&certificate), valid.from_s) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(&certificate), valid.until_s) != nullptr;
}

bool add_extension(X509& certificate, X509& issuer, int kind, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, &issuer, &certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, freed_by<X509_EXTENSION_free>> extension(
      X509V3_EXT_conf_nid(nullptr, &context, kind, value));
  return extension && X509_add_ext(&certificate, extension.get(), -1) == 1;
}

using ip_ptr = std::unique_ptr<ASN1_OCTET_STRING, freed_by<ASN1_OCTET_STRING_free>>;
using ia5_ptr = std::unique_ptr<ASN1_IA5STRING, freed_by<ASN1_IA5STRING_free>>;

/// By hand, because OpenSSL's text form of a list takes the comma in a URI for its own.
bool add_name(GENERAL_NAMES& names, int type, const std::string& text) {
  std::unique_ptr<GENERAL_NAME, freed_by<GENERAL_NAME_free>> name(GENERAL_NAME_new());
  if (type == GEN_IPADD) {
    GENERAL_NAME_set0_value(name.get(), type, a2i_IPADDRESS(text.c_str()));
  } else {
    ia5_ptr value(ASN1_IA5STRING_new());
    if (ASN1_STRING_set(value.get(), text.data(), static_cast<int>(text.size())) != 1) return false;
    GENERAL_NAME_set0_value(name.get(), type, value.release());
  }
  return sk_GENERAL_NAME_push(&names, name.release()) > 0;
}

bool is_address(const std::string& host) {
  return ip_ptr(a2i_IPADDRESS(host.c_str())) != nullptr;
}

bool add_names(X509& certificate, const std::string& uri, const std::vector<std::string>& hosts) {
  const general_names_ptr names(sk_GENERAL_NAME_new_null());
  if (!add_name(*names, GEN_URI, uri)) return false;
  for (const auto& host : hosts)
    if (!add_name(*names, is_address(host) ? GEN_IPADD : GEN_DNS, host)) return false;
  return X509_add1_ext_i2d(&certificate, NID_subject_alt_name, names.get(), 0, 0) == 1;
}

/// What a CA's certificate and a node's have in common.
bool fill(X509& certificate, const std::string& name, const validity& valid, EVP_PKEY& key) {
  return X509_set_version(&certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
         set_common_name(certificate, name) && set_validity(certificate, valid) &&
         X509_set_pubkey(&certificate, &key) == 1;
}

result<certificate_and_key> signed_by(X509& certificate, EVP_PKEY& key, EVP_PKEY& signer) {
  if (X509_sign(&certificate, &signer, EVP_sha256()) == 0)
    return openssl_failed("sign a certificate");
  auto certificate_text = to_pem(certificate);
  if (!certificate_text) return certificate_text.failure();
  auto key_text = to_pem(key);
  if (!key_text) return key_text.failure();
  return certificate_and_key{*std::move(certificate_text), *std::move(key_text)};
}

result<void> check_host(const std::string& host) {
  const auto is_allowed = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_';
  };
  if (is_address(host) || (!host.empty() && host.size() <= host_bytes_max &&
                           std::all_of(host.begin(), host.end(), is_allowed)))
    return {};
  return {errc::invalid_argument,
          config::quoted(host) + " is neither the name of a host nor an IP address"};
}

result<void> check_request(const node_request& wanted, const X509& authority) {
  if (auto named = check_name(wanted.node_name); !named) return named;
  if (wanted.roles.empty()) return {errc::invalid_argument, "a node needs a role"};
  for (const auto& host : wanted.hosts)
    if (auto checked = check_host(host); !checked) return checked;
  if (wanted.valid.until_s > valid_until(authority))
    return {errc::invalid_argument, "the CA itself is valid only until " +
                                        time_text(valid_until(authority)) +
                                        "; ask for fewer days, or make a new CA"};
  return {};
}

} // namespace

result<certificate_and_key> make_authority(const std::string& cluster, const validity& valid) {
  if (auto named = check_name(cluster); !named) return named.failure();
  const key_ptr key(EVP_EC_gen("P-256"));
  const x509_ptr certificate(X509_new());
  if (!key || !certificate || !fill(*certificate, "Gradmesh CA of " + cluster, valid, *key))
    return openssl_failed("make a certificate");
  auto& c = *certificate;
  if (X509_set_issuer_name(&c, X509_get_subject_name(&c)) != 1 ||
      !add_extension(c, c, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !add_extension(c, c, NID_key_usage, "critical,keyCertSign,cRLSign") ||
      !add_extension(c, c, NID_subject_key_identifier, "hash") ||
      !add_names(c, authority_uri(cluster), {}))
    return openssl_failed("make a certificate");
  return signed_by(c, *key, *key);
}

result<certificate_and_key> issue(const certificate_and_key& authority,
                                  const node_request& wanted) {
  const auto authorities = read_certificates(authority.certificate, "the CA's certificate");
  if (!authorities) return authorities.failure();
  const auto signer = read_key(authority.key, "the CA's key");
  if (!signer) return signer.failure();
  auto& ca = *authorities->front();
  if (X509_check_private_key(&ca, signer->get()) != 1) {
    ERR_clear_error();
    return {errc::invalid_argument, "the CA's key does not belong to the CA's certificate"};
  }
  const auto cluster = authority_of(ca);
  if (!cluster) return cluster.failure();
  if (auto checked = check_request(wanted, ca); !checked) return checked.failure();

  const key_ptr key(EVP_EC_gen("P-256"));
  const x509_ptr certificate(X509_new());
  if (!key || !certificate || !fill(*certificate, wanted.node_name, wanted.valid, *key))
    return openssl_failed("make a certificate");
  auto& c = *certificate;
  if (X509_set_issuer_name(&c, X509_get_subject_name(&ca)) != 1 ||
      !add_extension(c, ca, NID_basic_constraints, "critical,CA:FALSE") ||
      !add_extension(c, ca, NID_key_usage, "critical,digitalSignature") ||
      !add_extension(c, ca, NID_ext_key_usage, "serverAuth,clientAuth") ||
      !add_extension(c, ca, NID_subject_key_identifier, "hash") ||
      !add_extension(c, ca, NID_authority_key_identifier, "keyid:always") ||
      !add_names(c, to_uri({*cluster, wanted.node_name, wanted.roles}), wanted.hosts))
    return openssl_failed("make a certificate");
  return signed_by(c, *key, **signer);
}

} // namespace gradmesh::env
