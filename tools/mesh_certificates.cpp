#include "tools/mesh_certificates.hpp"

#include "actors/env/disk.hpp"
#include "actors/env/new_file.hpp"

namespace gradmesh::tools {
namespace {

constexpr std::uint64_t pem_bytes_max = 1u << 20;
constexpr std::int64_t seconds_per_day = 86'400;
/// Clocks of other machines may be behind.
constexpr std::int64_t backdated_s = 3'600;
constexpr const char* authority_name = "ca";

env::validity valid_for(unsigned days, std::int64_t now_s) {
  return {now_s - backdated_s, now_s + days * seconds_per_day};
}

certificate_files files_of(const std::string& folder, const std::string& name) {
  const auto stem = folder + '/' + name;
  return {stem + ".crt", stem + ".key", 0};
}

/// Before any key is made. `write` finds out for certain.
result<void> check_absent(const certificate_files& files, env::disk& disk) {
  const bool certificate = disk.exists(files.certificate);
  const bool key = disk.exists(files.key);
  if (certificate)
    return {errc::invalid_argument, "'" + files.certificate +
                                        "' exists, and is not overwritten; to replace it, move it "
                                        "and its key '" +
                                        files.key + "' away first"};
  if (key)
    return {errc::invalid_argument, "'" + files.key +
                                        "' exists without a certificate, as an interrupted run "
                                        "leaves it; remove it and try again"};
  return {};
}

/// The key first: a certificate that can be seen can be used.
result<certificate_files> write(certificate_files files, const env::certificate_and_key& made,
                                std::int64_t valid_until_s, env::disk& disk) {
  if (auto done = env::write_new_file(files.key, made.key, env::file_access::owner); !done)
    return done.failure();
  auto done = env::write_new_file(files.certificate, made.certificate, env::file_access::everybody);
  if (!done) {
    auto removed = disk.remove(files.key);
    return removed ? done.failure()
                   : error{done.failure().code, done.failure().text +
                                                    "; and the key that goes "
                                                    "with it stays: " +
                                                    removed.failure().text};
  }
  files.valid_until_s = valid_until_s;
  return files;
}

result<env::certificate_and_key> read_authority(const std::string& folder, env::disk& disk) {
  const auto files = files_of(folder, authority_name);
  auto certificate = disk.read(files.certificate, pem_bytes_max);
  if (!certificate)
    return {certificate.failure().code, "no CA in '" + folder + "': " + certificate.failure().text +
                                            "; make one with 'gradmesh tls init " + folder + "'"};
  auto key = disk.read(files.key, pem_bytes_max);
  if (!key)
    return {key.failure().code,
            "the CA in '" + folder + "' cannot sign without its key: " + key.failure().text};
  return env::certificate_and_key{*std::move(certificate), *std::move(key)};
}

} // namespace

result<certificate_files> make_authority_files(const std::string& folder,
                                               const std::string& cluster, unsigned days,
                                               std::int64_t now_s) {
  const auto disk = env::make_disk();
  const auto files = files_of(folder, authority_name);
  if (auto absent = check_absent(files, *disk); !absent) return absent.failure();
  const auto valid = valid_for(days, now_s);
  const auto made = env::make_authority(cluster, valid);
  if (!made) return made.failure();
  if (auto there = disk->create_directories(folder); !there) return there.failure();
  return write(files, *made, valid.until_s, *disk);
}

result<certificate_files> issue_node_files(const std::string& folder,
                                           const node_certificate& wanted, std::int64_t now_s) {
  if (wanted.name == authority_name)
    return {errc::invalid_argument, "a node cannot be called 'ca': its files would be the CA's"};
  const auto disk = env::make_disk();
  const auto authority = read_authority(folder, *disk);
  if (!authority) return authority.failure();
  const auto valid = valid_for(wanted.days, now_s);
  const auto made = env::issue(*authority, {wanted.name, wanted.roles, wanted.hosts, valid});
  if (!made) return made.failure();
  const auto files = files_of(folder, wanted.name);
  if (auto absent = check_absent(files, *disk); !absent) return absent.failure();
  return write(files, *made, valid.until_s, *disk);
}

} // namespace gradmesh::tools
