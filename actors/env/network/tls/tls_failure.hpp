#pragma once

/// INTERNAL: why TLS failed, in words for people. All functions read OpenSSL's error queue of this
/// thread and empty it.

#include "actors/error.hpp"

#include <openssl/x509_vfy.h>

#include <string>

namespace gradmesh::env {

/// Why a handshake ended. `remote` is the other end as the caller names it. Errors: `refused` (one
/// side does not accept the other's certificate), `incompatible_peer` (no TLS, or not 1.3).
error handshake_failure(const std::string& remote);

/// Why reading or writing failed after the handshake.
std::string failure_in_stream();

/// Why OpenSSL does not accept a certificate, e.g. "it expired at 2026-01-01 00:00:00 UTC".
std::string rejection_of(X509_STORE_CTX& verification);

} // namespace gradmesh::env
