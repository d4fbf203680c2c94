#include "tools/mesh_certificates.hpp"

#include "actors/env/disk.hpp"
#include "actors/env/network/tls/tls_context.hpp"
#include "actors/env/new_file.hpp"
#include "tools/certificate_report.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <fstream>

using namespace gradmesh;
using namespace gradmesh::tools;
using mesh::role;

namespace fs = std::filesystem;

namespace {

/// A folder that ends with the test.
struct scratch {
  scratch() {
    auto pattern = (fs::temp_directory_path() / "gradmesh-XXXXXX").string();
    path = ::mkdtemp(pattern.data());
  }
  ~scratch() { fs::remove_all(path); }

  std::string at(const std::string& name) const { return path + '/' + name; }
  std::string path;
};

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

unsigned mode_of(const std::string& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 0777;
}

std::string content(const std::string& path) {
  const auto text = env::make_disk()->read(path, 1u << 20);
  REQUIRE(text);
  return *text;
}

const node_certificate w1{"w1", {role::worker, role::server}, {"10.0.0.1"}, 30};

} // namespace

TEST_CASE("a node loads the files that were issued for it") {
  const scratch dir;
  const auto now = std::time(nullptr);
  REQUIRE(make_authority_files(dir.at("pki/mesh"), "mesh-1", 100, now));
  const auto made = issue_node_files(dir.at("pki/mesh"), w1, now);
  REQUIRE(made);
  CHECK(made->certificate == dir.at("pki/mesh/w1.crt"));
  CHECK(made->key == dir.at("pki/mesh/w1.key"));
  CHECK(made->valid_until_s == now + 30 * 86'400);
  const auto disk = env::make_disk();
  const auto context = env::tls_context::make(
      {dir.at("pki/mesh/ca.crt"), made->certificate, made->key, "mesh-1"}, *disk);
  REQUIRE(context);
  CHECK((*context)->own() == env::tls_peer{"mesh-1", "w1", {role::server, role::worker}});
  CHECK((*context)->warnings().empty());
}

TEST_CASE("keys can be read by their owner alone, and no other file is left behind") {
  const scratch dir;
  const auto now = std::time(nullptr);
  REQUIRE(make_authority_files(dir.path, "c", 100, now));
  REQUIRE(issue_node_files(dir.path, w1, now));
  CHECK(mode_of(dir.at("ca.key")) == 0600);
  CHECK(mode_of(dir.at("w1.key")) == 0600);
  const auto files = env::make_disk()->list(dir.path);
  REQUIRE(files);
  CHECK(files->size() == 4);
}

TEST_CASE("nothing is overwritten") {
  const scratch dir;
  const auto now = std::time(nullptr);
  REQUIRE(make_authority_files(dir.path, "c", 100, now));
  REQUIRE(issue_node_files(dir.path, w1, now));
  const auto before = content(dir.at("ca.key")) + content(dir.at("w1.key"));
  const auto ca = make_authority_files(dir.path, "c", 100, now);
  REQUIRE_FALSE(ca);
  CHECK(has(ca.failure().text, "ca.crt' exists, and is not overwritten"));
  const auto node = issue_node_files(dir.path, w1, now);
  REQUIRE_FALSE(node);
  CHECK(has(node.failure().text, "w1.crt' exists, and is not overwritten"));
  CHECK(content(dir.at("ca.key")) + content(dir.at("w1.key")) == before);
}

TEST_CASE("a new file never takes the place of another, and leaves no other") {
  const scratch dir;
  const auto path = dir.at("f");
  REQUIRE(env::write_new_file(path, "first", env::file_access::owner));
  const auto again = env::write_new_file(path, "second", env::file_access::everybody);
  REQUIRE_FALSE(again);
  CHECK(again.failure().code == errc::invalid_argument);
  CHECK(has(again.failure().text, "'" + path + "' exists"));
  CHECK(content(path) == "first");
  CHECK(mode_of(path) == 0600);
  CHECK(env::make_disk()->list(dir.path)->size() == 1);
  CHECK(env::write_new_file(dir.at("no/folder"), "x", env::file_access::owner).failure().code ==
        errc::io_failed);
}

TEST_CASE("a key that a crash left without its certificate is named, and kept") {
  const scratch dir;
  const auto now = std::time(nullptr);
  REQUIRE(make_authority_files(dir.path, "c", 100, now));
  std::ofstream(dir.at("w1.key")) << "left";
  const auto node = issue_node_files(dir.path, w1, now);
  REQUIRE_FALSE(node);
  CHECK(has(node.failure().text, "w1.key' exists without a certificate"));
  CHECK(content(dir.at("w1.key")) == "left");
  CHECK_FALSE(fs::exists(dir.at("w1.crt")));
}

TEST_CASE("what cannot be issued leaves no file and says why") {
  const scratch dir;
  const auto now = std::time(nullptr);
  const auto early = issue_node_files(dir.path, w1, now);
  REQUIRE_FALSE(early);
  CHECK(early.failure().code == errc::not_found);
  CHECK(has(early.failure().text, "make one with 'gradmesh tls init " + dir.path + "'"));

  REQUIRE(make_authority_files(dir.path, "c", 10, now));
  const auto failure = [&](node_certificate wanted) {
    const auto made = issue_node_files(dir.path, wanted, now);
    return made ? std::string("made") : made.failure().text;
  };
  CHECK(has(failure({"ca", {role::worker}, {}, 5}), "cannot be called 'ca'"));
  CHECK(has(failure({"../w", {role::worker}, {}, 5}), "'../w' is not a name"));
  CHECK(has(failure({"w", {role::worker}, {}, 11}), "the CA itself is valid only until"));
  CHECK(has(failure({"w", {}, {}, 5}), "needs a role"));
  CHECK(env::make_disk()->list(dir.path)->size() == 2);

  fs::remove(dir.at("ca.key"));
  CHECK(has(failure({"w", {role::worker}, {}, 5}), "cannot sign without its key"));
}

TEST_CASE("a certificate is described for people and for scripts") {
  const scratch dir;
  const std::int64_t now = 1'900'000'000;
  REQUIRE(make_authority_files(dir.path, "mesh-1", 100, now));
  REQUIRE(issue_node_files(dir.path, w1, now));
  const auto both = content(dir.at("w1.crt")) + content(dir.at("ca.crt"));
  const auto facts = env::describe_certificates(both, "both");
  REQUIRE(facts);
  REQUIRE(facts->size() == 2);

  const auto text = certificates_text(*facts, now + 86'400);
  CHECK(has(text, "holder   node w1 of cluster mesh-1, roles server,worker\n"));
  CHECK(has(text, "hosts    10.0.0.1\n"));
  CHECK(has(text, "until    2030-04-16 17:46:40 UTC (29 days left)\n"));
  CHECK(has(text, "\n\nholder   the CA of cluster mesh-1\n"));
  CHECK(has(certificates_text(*facts, now + 31 * 86'400), "(EXPIRED)"));
  CHECK(has(certificates_text(*facts, now - 86'400), "(NOT YET VALID)"));

  const auto j = nlohmann::json::parse(certificates_json(*facts, now)).at("certificates");
  CHECK(j[0]["kind"] == "node");
  CHECK(j[0]["node"] == "w1");
  CHECK(j[0]["roles"] == nlohmann::json({"server", "worker"}));
  CHECK(j[0]["hosts"] == nlohmann::json({"10.0.0.1"}));
  CHECK(j[0]["valid"] == true);
  CHECK(j[0]["valid_until_s"] == now + 30 * 86'400);
  CHECK(j[0]["sha256"].get<std::string>().size() == 64);
  CHECK(j[1]["kind"] == "ca");
  CHECK(j[1]["cluster"] == "mesh-1");
  CHECK(j[1]["node"].is_null());
}
