#include "actors/env/network/tls/tls_failure.hpp"

#include "actors/env/network/tls/certificate.hpp"
#include "actors/env/network/tls/certificate_facts.hpp"

#include "config/diagnostic.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

namespace gradmesh::env {
namespace {

constexpr const char* own_certificate_hint =
    "look at it with 'gradmesh tls show', and at the other node's log for the reason";

/// What the alert of a peer means; nothing for one that says no more than its name.
std::string meaning_of_alert(int alert) {
  switch (alert) {
  case SSL_AD_CERTIFICATE_REQUIRED:
    return "it wants a certificate and this node sent none";
  case SSL_AD_UNKNOWN_CA:
    return "it does not know the CA of this node's certificate";
  case SSL_AD_CERTIFICATE_EXPIRED:
    return "this node's certificate has expired, or the clocks differ";
  case SSL_AD_BAD_CERTIFICATE:
    return "it does not accept this node's certificate";
  case SSL_AD_PROTOCOL_VERSION:
    return "it does not speak TLS 1.3, and Gradmesh speaks nothing older";
  default:
    return {};
  }
}

bool is_alert(unsigned long code) {
  const int reason = ERR_GET_REASON(code);
  return ERR_GET_LIB(code) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET &&
         reason < SSL_AD_REASON_OFFSET + 256;
}

bool is_about_certificate(int alert) {
  return alert == SSL_AD_CERTIFICATE_REQUIRED || alert == SSL_AD_UNKNOWN_CA ||
         alert == SSL_AD_CERTIFICATE_EXPIRED || alert == SSL_AD_BAD_CERTIFICATE;
}

/// "the peer refused this node: ... (tlsv13 alert certificate required)".
error alert_failure(int alert) {
  const auto name = openssl_reason();
  const auto meaning = meaning_of_alert(alert);
  auto text = "the peer ended the TLS connection: " + (meaning.empty() ? name : meaning);
  if (!meaning.empty()) text += " (" + name + ")";
  if (!is_about_certificate(alert)) return {errc::incompatible_peer, text};
  return {errc::refused, text + "; " + own_certificate_hint};
}

bool is_no_tls(int reason) {
  switch (reason) {
  case SSL_R_HTTP_REQUEST:
  case SSL_R_HTTPS_PROXY_REQUEST:
  case SSL_R_WRONG_VERSION_NUMBER:
  case SSL_R_BAD_RECORD_TYPE:
  case SSL_R_PACKET_LENGTH_TOO_LONG:
  case SSL_R_RECORD_LENGTH_MISMATCH:
  case SSL_R_UNEXPECTED_MESSAGE:
    return true;
  default:
    return false;
  }
}

} // namespace

error handshake_failure(const std::string& remote) {
  const auto code = ERR_peek_last_error();
  const int reason = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;
  if (is_alert(code)) {
    auto failed = alert_failure(reason - SSL_AD_REASON_OFFSET);
    failed.text = remote + ": " + failed.text;
    return failed;
  }
  const auto text = openssl_reason();
  if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
    return {errc::refused, remote + " sent no certificate; every node of this mesh needs one, made "
                                    "by 'gradmesh tls issue' and named in the section [tls] of its "
                                    "node file"};
  if (reason == SSL_R_UNSUPPORTED_PROTOCOL || reason == SSL_R_VERSION_TOO_LOW)
    return {errc::incompatible_peer,
            remote + " does not offer TLS 1.3, and Gradmesh speaks nothing older (TLS 1.2 and "
                     "before); is it a Gradmesh node, with a current OpenSSL?"};
  if (is_no_tls(reason))
    return {errc::incompatible_peer, remote + " does not speak TLS (" + text +
                                         "); is it a node without the section [tls], or another "
                                         "service?"};
  return {errc::incompatible_peer, "the TLS handshake with " + remote + " failed: " + text};
}

std::string failure_in_stream() {
  const auto code = ERR_peek_last_error();
  if (is_alert(code)) return alert_failure(ERR_GET_REASON(code) - SSL_AD_REASON_OFFSET).text;
  return "TLS failed: " + openssl_reason();
}

std::string rejection_of(X509_STORE_CTX& verification) {
  const int code = X509_STORE_CTX_get_error(&verification);
  const auto* certificate = X509_STORE_CTX_get_current_cert(&verification);
  switch (code) {
  case X509_V_ERR_CERT_HAS_EXPIRED:
    return "it expired at " + time_text(valid_until(*certificate)) +
           "; issue a new one with 'gradmesh tls issue'";
  case X509_V_ERR_CERT_NOT_YET_VALID:
    return "it is not valid before " + time_text(valid_from(*certificate)) +
           "; are the clocks of both machines right?";
  case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
  case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
  case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
  case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
  case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
  case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    return "it is from an unknown CA (" +
           config::quoted(common_name(*X509_get_issuer_name(certificate))) +
           "), not from the one in tls.ca";
  default:
    return X509_verify_cert_error_string(code);
  }
}

} // namespace gradmesh::env
