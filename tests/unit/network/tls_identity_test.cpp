#include "tests/unit/network/tls_support.hpp"

#include "actors/env/network/tls/certificate_facts.hpp"

#include <openssl/pem.h>
#include <sys/stat.h>

#include <filesystem>

using namespace gradmesh;
using namespace gradmesh::env;
using namespace gradmesh::env::test;
using mesh::role;
using mesh::role_set;

namespace {

std::string load_failure(const certificate_and_key& node, const authority& ca) {
  memory_disk disk;
  put(disk, ca, node);
  const auto made = tls_context::make(settings_in_memory(), disk);
  return made ? "loads" : made.failure().text;
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

result<tls_peer> identity_in(const certificate_and_key& node) {
  return identity_of(*read_certificates(node.certificate, "x")->front());
}

} // namespace

TEST_CASE("every set of roles is read back from its text") {
  for (unsigned bits = 1; bits < 32; ++bits) {
    role_set roles;
    for (std::size_t i = 0; i < mesh::all_roles.size(); ++i)
      if ((bits >> i & 1) != 0) roles.add(mesh::all_roles[i]);
    const auto text = mesh::to_string(roles);
    CAPTURE(text);
    const auto read = mesh::parse_roles(text);
    REQUIRE(read);
    CHECK(*read == roles);
    CHECK(read->has(role::worker) == ((bits >> 2 & 1) != 0));
  }
  CHECK(mesh::to_string({role::client, role::data_server}) == "data-server,client");
  CHECK(role_set{role::server, role::worker}.has_all({role::worker}));
  CHECK_FALSE(role_set{role::worker}.has_all({role::server, role::worker}));
}

TEST_CASE("a list of roles without sense is refused with the reason") {
  for (const auto* text : {"", ",", "worker,", ",worker", "worker,,server", "worker, server",
                           "Worker", "root", "worker,worker", "data_server", "worker;server"}) {
    CAPTURE(text);
    const auto read = mesh::parse_roles(text);
    REQUIRE_FALSE(read);
    CHECK(read.failure().code == errc::invalid_argument);
    CHECK(has(read.failure().text, "coordinator, server, worker, data-server, client"));
  }
}

TEST_CASE("a node's URI is read back to the same node") {
  const tls_peer who{"mesh-1", "w.1_a+b", {role::worker, role::server}};
  CHECK(to_uri(who) == "gradmesh://mesh-1/w.1_a+b?roles=server,worker");
  const auto read = parse_uri(to_uri(who));
  REQUIRE(read);
  CHECK(*read == who);
}

TEST_CASE("a URI that does not name a node exactly is refused") {
  using namespace std::string_literals;
  for (const auto& uri : {""s,
                          "gradmesh:"s,
                          "https://c/n?roles=worker"s,
                          "GRADMESH://c/n?roles=worker"s,
                          " gradmesh://c/n?roles=worker"s,
                          "gradmesh://c/n"s,
                          "gradmesh://c?roles=worker"s,
                          "gradmesh:///n?roles=worker"s,
                          "gradmesh://c/?roles=worker"s,
                          "gradmesh://c/n?roles="s,
                          "gradmesh://c/n?roles=worker&x=1"s,
                          "gradmesh://c/n?x=1&roles=worker"s,
                          "gradmesh://c/n?roles=worker#server"s,
                          "gradmesh://c/n/m?roles=worker"s,
                          "gradmesh://c/n%31?roles=worker"s,
                          "gradmesh://c/n?roles=work%65r"s,
                          "gradmesh://u@c/n?roles=worker"s,
                          "gradmesh://c:1/n?roles=worker"s,
                          "gradmesh://c/n?roles=worker?roles=server"s,
                          "gradmesh://c/n\0?roles=worker"s,
                          "gradmesh://c/n?roles=worker\0"s,
                          "gradmesh://c/n?roles=worker "s,
                          "gradmesh://c/n?roles=god"s,
                          "gradmesh://c/" + std::string(256, 'n') + "?roles=worker"}) {
    CAPTURE(uri);
    const auto read = parse_uri(uri);
    REQUIRE_FALSE(read);
    CHECK(read.failure().code == errc::malformed_message);
    CHECK(has(read.failure().text, "is not gradmesh://CLUSTER/NODE?roles=ROLE,...: "));
  }
}

TEST_CASE("an issued certificate names its node, its hosts and its time") {
  const authority ca;
  const auto made = issue(ca.files(), {"w1", {role::worker}, {"Head", "::1", "10.0.0.7"}, {1, 2}});
  REQUIRE(made);
  const auto certificates = read_certificates(made->certificate, "w1.crt");
  REQUIRE(certificates);
  auto& c = *certificates->front();
  CHECK(*identity_of(c) == tls_peer{cluster, "w1", {role::worker}});
  CHECK(alternative_names_of(c).hosts == std::vector<std::string>{"Head", "::1", "10.0.0.7"});
  CHECK(valid_from(c) == 1);
  CHECK(valid_until(c) == 2);
  CHECK(time_text(0) == "1970-01-01 00:00:00 UTC");
}

TEST_CASE("two certificates of one node differ in key and serial number") {
  const authority ca;
  const auto a = read_certificates(ca.node("w1").certificate, "a");
  const auto b = read_certificates(ca.node("w1").certificate, "b");
  CHECK(ASN1_INTEGER_cmp(X509_get0_serialNumber(a->front().get()),
                         X509_get0_serialNumber(b->front().get())) != 0);
  CHECK(EVP_PKEY_eq(X509_get0_pubkey(a->front().get()), X509_get0_pubkey(b->front().get())) == 0);
}

TEST_CASE("what cannot be certified is refused with the reason") {
  const authority ca;
  const authority other;
  const auto why = [&](const certificate_and_key& signer, const node_request& wanted) {
    const auto made = issue(signer, wanted);
    return made ? std::string("made") : made.failure().text;
  };
  const node_request good{"n", {role::worker}, {}, valid_for(100)};
  CHECK(why(ca.files(), good) == "made");
  auto wanted = good;
  wanted.node_name = "a/b";
  CHECK(has(why(ca.files(), wanted), "'a/b' is not a name"));
  wanted = good;
  wanted.roles = {};
  CHECK(has(why(ca.files(), wanted), "needs a role"));
  wanted = good;
  wanted.hosts = {"bad host"};
  CHECK(has(why(ca.files(), wanted), "'bad host' is neither"));
  wanted = good;
  wanted.valid = valid_for(200'000);
  CHECK(has(why(ca.files(), wanted), "the CA itself is valid only until"));
  CHECK(has(why({ca.files().certificate, other.files().key}, good), "key does not belong"));
  CHECK(has(why(ca.node("w"), good), "does not name its cluster"));
  CHECK(has(why({"", ca.files().key}, good), "holds no certificate"));
  CHECK_FALSE(make_authority("two words", valid_for(100)));
}

TEST_CASE("a certificate with any number of URIs but one names nobody") {
  const authority ca;
  const std::string good = "gradmesh://" + cluster + "/n?roles=worker";
  CHECK(identity_in(ca.odd_node({good})));
  for (const auto& uris : std::vector<std::vector<std::string>>{
           {}, {good, good}, {good, "https://elsewhere"}, {"https://elsewhere"}}) {
    const auto named = identity_in(ca.odd_node(uris));
    REQUIRE_FALSE(named);
    CHECK(named.failure().code == errc::malformed_message);
  }
}

TEST_CASE("good files load, and say who this node is") {
  const authority ca;
  const auto context = context_of(ca, ca.node("head", {role::coordinator, role::server}));
  CHECK(context->own() == tls_peer{cluster, "head", {role::coordinator, role::server}});
  CHECK(context->warnings().empty());
}

TEST_CASE("a file that is missing is named with its key in the configuration") {
  const authority ca;
  for (const std::string key : {"ca", "certificate", "key"}) {
    CAPTURE(key);
    memory_disk disk;
    put(disk, ca, ca.node("n"));
    auto settings = settings_in_memory();
    (key == "ca" ? settings.ca : key == "key" ? settings.key : settings.certificate) = "none.pem";
    const auto made = tls_context::make(settings, disk);
    REQUIRE_FALSE(made);
    CHECK(made.failure().code == errc::not_found);
    CHECK(made.failure().text.starts_with("tls." + key + ": "));
    CHECK(has(made.failure().text, "'none.pem'"));
  }
}

TEST_CASE("files that hold something else than they should are refused by name") {
  const authority ca;
  const auto node = ca.node("n");
  CHECK(has(load_failure({"hello", node.key}, ca), "'node.crt' holds no certificate"));
  CHECK(has(load_failure({"", node.key}, ca), "'node.crt' holds no certificate"));
  CHECK(has(load_failure({node.certificate, "hello"}, ca), "'node.key' holds no private key"));
  CHECK(has(load_failure({node.certificate, node.certificate}, ca), "'node.key' holds no private"));
  CHECK(has(load_failure({node.key, node.key}, ca), "'node.crt' holds no certificate"));
  const auto cut = node.certificate.substr(0, node.certificate.size() / 2);
  CHECK(has(load_failure({cut, node.key}, ca), "'node.crt' holds no certificate"));
  CHECK(has(load_failure({node.certificate + cut, node.key}, ca), "'node.crt' holds no"));
}

TEST_CASE("a key with a passphrase is refused without asking for it") {
  const authority ca;
  const auto node = ca.node("n");
  const auto key = read_key(node.key, "n");
  const bio_ptr memory(BIO_new(BIO_s_mem()));
  unsigned char secret[] = "secret";
  REQUIRE(PEM_write_bio_PKCS8PrivateKey(memory.get(), key->get(), EVP_aes_128_cbc(),
                                        reinterpret_cast<char*>(secret), 6, nullptr, nullptr) == 1);
  CHECK(has(load_failure({node.certificate, std::string(written(*memory))}, ca),
            "it is encrypted, and nobody is there to type a passphrase"));
}

TEST_CASE("files that do not fit together are refused") {
  const authority ca;
  const authority other;
  const auto node = ca.node("n");
  CHECK(has(load_failure({node.certificate, ca.node("n").key}, ca),
            "tls.key 'node.key' does not belong to tls.certificate 'node.crt'"));
  CHECK(has(load_failure(node, other), "it is from an unknown CA"));
  const std::string uri = "gradmesh://" + cluster + "/n?roles=worker";
  CHECK(has(load_failure(ca.odd_node({uri}, valid_for(-60)), ca), "it expired at "));
  const auto later = valid_for(1000);
  CHECK(has(load_failure(ca.odd_node({uri}, {later.until_s - 10, later.until_s}), ca),
            "it is not valid before "));
  CHECK(has(load_failure(ca.odd_node({"gradmesh://other/n?roles=worker"}), ca),
            "is for the cluster 'other', but node.cluster is 'mesh-1'"));
  CHECK(has(load_failure(ca.odd_node({}), ca), "0 URIs"));
}

TEST_CASE("a key that others can open costs a warning, not the start") {
  const authority ca;
  const auto node = ca.node("n");
  const auto folder =
      std::filesystem::temp_directory_path() / ("gradmesh-tls-" + std::to_string(::getpid()));
  const auto path = [&](const char* name) { return (folder / name).string(); };
  const auto disk = make_disk();
  REQUIRE(disk->create_directories(folder.string()));
  REQUIRE(disk->write(path("ca.crt"), ca.files().certificate));
  REQUIRE(disk->write(path("n.crt"), node.certificate));
  REQUIRE(disk->write(path("n.key"), node.key));
  const tls_settings settings{path("ca.crt"), path("n.crt"), path("n.key"), cluster};

  ::chmod(path("n.key").c_str(), 0640);
  const auto open = tls_context::make(settings, *disk);
  REQUIRE(open);
  REQUIRE((*open)->warnings().size() == 1);
  CHECK(has((*open)->warnings().front(), "chmod 600"));

  ::chmod(path("n.key").c_str(), 0600);
  const auto closed = tls_context::make(settings, *disk);
  REQUIRE(closed);
  CHECK((*closed)->warnings().empty());
  std::filesystem::remove_all(folder);
}
