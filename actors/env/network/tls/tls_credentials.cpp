#include "actors/env/network/tls/tls_credentials.hpp"

#include "actors/env/network/tls/tls_failure.hpp"

#include <sys/stat.h>

namespace gradmesh::env {
namespace {

using store_context_ptr = std::unique_ptr<X509_STORE_CTX, freed_by<X509_STORE_CTX_free>>;
/// Owns the list, not the certificates in it.
using borrowed_chain_ptr =
    std::unique_ptr<STACK_OF(X509), decltype([](STACK_OF(X509) * chain) { sk_X509_free(chain); })>;

constexpr std::uint64_t pem_bytes_max = 1u << 20;

std::string file_of(const char* key, const std::string& path) {
  return std::string("tls.") + key + " '" + path + "'";
}

result<std::string> read(disk& files, const char* key, const std::string& path) {
  auto text = files.read(path, pem_bytes_max);
  if (!text)
    return {text.failure().code, "tls." + std::string(key) + ": " + text.failure().text +
                                     " (gradmesh tls init and issue make such files)"};
  return text;
}

/// Whether a node that trusts `authorities` would accept the chain, as dialer and as listener.
result<void> verify(const tls_credentials& c, const tls_settings& settings) {
  const auto store = make_store(c.authorities);
  const borrowed_chain_ptr others(sk_X509_new_null());
  for (const auto& one : c.chain)
    sk_X509_push(others.get(), one.get());
  for (const auto* purpose : {"ssl_server", "ssl_client"}) {
    const store_context_ptr verification(X509_STORE_CTX_new());
    X509_STORE_CTX_init(verification.get(), store.get(), c.chain.front().get(), others.get());
    X509_STORE_CTX_set_default(verification.get(), purpose);
    if (X509_verify_cert(verification.get()) != 1)
      return {errc::invalid_config,
              "other nodes will not accept " + file_of("certificate", settings.certificate) +
                  " under " + file_of("ca", settings.ca) + ": " + rejection_of(*verification)};
  }
  return {};
}

/// The system keeps a key from other users only if its file does.
void warn_of_readable_key(const std::string& path, std::vector<std::string>& warnings) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || (status.st_mode & (S_IRWXG | S_IRWXO)) == 0) return;
  warnings.push_back(file_of("key", path) + " can be opened by other users of this machine, who "
                                            "can then pose as this node; chmod 600 it");
}

} // namespace

result<tls_credentials> load_credentials(const tls_settings& settings, disk& files) {
  const auto ca = read(files, "ca", settings.ca);
  if (!ca) return ca.failure();
  const auto certificate = read(files, "certificate", settings.certificate);
  if (!certificate) return certificate.failure();
  const auto key_text = read(files, "key", settings.key);
  if (!key_text) return key_text.failure();

  tls_credentials c;
  auto authorities = read_certificates(*ca, settings.ca);
  if (!authorities) return authorities.failure();
  c.authorities = *std::move(authorities);
  auto chain = read_certificates(*certificate, settings.certificate);
  if (!chain) return chain.failure();
  c.chain = *std::move(chain);
  auto key = read_key(*key_text, settings.key);
  if (!key) return key.failure();
  c.key = *std::move(key);
  warn_of_readable_key(settings.key, c.warnings);

  const auto& own = *c.chain.front();
  if (X509_check_private_key(&own, c.key.get()) != 1)
    return {errc::invalid_config, file_of("key", settings.key) + " does not belong to " +
                                      file_of("certificate", settings.certificate) +
                                      "; were they issued together?"};
  const auto named = identity_of(own);
  if (!named)
    return {errc::invalid_config,
            file_of("certificate", settings.certificate) + ": " + named.failure().text};
  c.own = *named;
  if (c.own.cluster != settings.cluster)
    return {errc::invalid_config, file_of("certificate", settings.certificate) +
                                      " is for the cluster '" + c.own.cluster +
                                      "', but node.cluster is '" + settings.cluster + "'"};
  if (auto accepted = verify(c, settings); !accepted) return accepted.failure();
  return c;
}

store_ptr make_store(const std::vector<x509_ptr>& authorities) {
  store_ptr store(X509_STORE_new());
  for (const auto& one : authorities)
    X509_STORE_add_cert(store.get(), one.get());
  return store;
}

} // namespace gradmesh::env
