#pragma once

/// INTERNAL: X.509 certificates and their keys, from PEM text, and what they say.
/// Errors name the file that the text came from.

#include "actors/env/network/tls/openssl.hpp"
#include "actors/env/network/tls/tls_peer.hpp"

#include <cstdint>
#include <vector>

namespace gradmesh::env {

/// At least one. Errors: `malformed_data` (not PEM, no certificate in it, one that does not parse).
result<std::vector<x509_ptr>> read_certificates(std::string_view pem, const std::string& file);

/// A private key without a passphrase. Errors: `malformed_data`.
result<key_ptr> read_key(std::string_view pem, const std::string& file);

/// The node that a certificate names. Errors: `malformed_message`.
result<tls_peer> identity_of(const X509& certificate);

/// The cluster that a CA was made for, and the URI that says so. Errors: `malformed_data`.
result<std::string> authority_of(const X509& certificate);
std::string authority_uri(const std::string& cluster);

/// The URIs, DNS names and IP addresses of the subject alternative names.
struct alternative_names {
  std::vector<std::string> uris;
  std::vector<std::string> hosts;
};
alternative_names alternative_names_of(const X509& certificate);

/// Whether the certificate may stand for the host (a name or an address): it lists it, or it lists
/// no hosts at all.
bool fits_host(X509& certificate, const std::string& host);

/// "w1"; empty if there is none. A stranger may have written it.
std::string common_name(const X509_NAME& name);

/// Limits of its validity, seconds since 1970.
std::int64_t valid_from(const X509& certificate);
std::int64_t valid_until(const X509& certificate);

} // namespace gradmesh::env
