#include "tests/unit/network/tls_support.hpp"

#include <sys/socket.h>

#include <random>

using namespace gradmesh;
using namespace gradmesh::env;
using namespace gradmesh::env::test;
using mesh::role;

namespace {

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// What a listener of the CA says to a dialer that is OpenSSL alone, and what the dialer is told.
struct refusal {
  error listener;
  std::string dialer;
};
refusal dial_with(const bare_options& options, const authority& ca) {
  test_loop loop;
  const auto context = context_of(ca, ca.node("listener"));
  auto pipe = loop.sockets();
  bare_peer dialer(loop, kj::mv(pipe.ends[1]), options);
  auto dialling = dialer.shake_hands()
                      .then([&](std::string failed) -> kj::Promise<std::string> {
                        if (!failed.empty()) return failed;
                        return dialer.read(1);
                      })
                      .eagerlyEvaluate(nullptr);
  auto accepted =
      loop.wait(context->accept(loop.io.unixEventPort, kj::mv(pipe.ends[0]), "10.0.0.9:4242"));
  REQUIRE_FALSE(accepted);
  auto told = loop.wait(kj::mv(dialling));
  return {accepted.failure(), told};
}

/// What a listener says to these bytes and the end of the connection after them.
error send_raw(std::string_view bytes) {
  static const authority ca;
  static const auto context = context_of(ca, ca.node("listener"));
  test_loop loop;
  auto pipe = loop.sockets();
  loop.wait(pipe.ends[1]->write(bytes.data(), bytes.size()));
  pipe.ends[1]->shutdownWrite();
  auto accepted =
      loop.wait(context->accept(loop.io.unixEventPort, kj::mv(pipe.ends[0]), "10.0.0.9:4242"));
  REQUIRE_FALSE(accepted);
  CHECK(has(accepted.failure().text, "10.0.0.9:4242"));
  return accepted.failure();
}

/// The first bytes that a dialer of ours sends.
std::string client_hello() {
  const authority ca;
  const auto context = context_of(ca, ca.node("dialer"));
  test_loop loop;
  auto pipe = loop.sockets();
  const auto connecting =
      context->connect(loop.io.unixEventPort, kj::mv(pipe.ends[1]), "listener", "localhost");
  std::string bytes(4096, '\0');
  bytes.resize(loop.wait(pipe.ends[0]->tryRead(bytes.data(), 1, bytes.size())));
  return bytes;
}

std::string node_uri(const std::string& in_cluster = cluster) {
  return "gradmesh://" + in_cluster + "/n?roles=worker";
}

} // namespace

TEST_CASE("both sides learn the other's name and roles") {
  const authority ca;
  test_loop loop;
  auto done = shake_hands(loop, *context_of(ca, ca.node("head", {role::coordinator})),
                          *context_of(ca, ca.node("w1", {role::worker, role::server})));
  REQUIRE(done.listener);
  REQUIRE(done.dialer);
  CHECK(done.listener->peer == tls_peer{cluster, "w1", {role::server, role::worker}});
  CHECK(done.dialer->peer == tls_peer{cluster, "head", {role::coordinator}});
}

TEST_CASE("a dialer without a certificate is refused and told so") {
  const authority ca;
  const auto r = dial_with({.identity = {}}, ca);
  CHECK(r.listener.code == errc::refused);
  CHECK(r.listener.text.starts_with("10.0.0.9:4242 sent no certificate"));
  CHECK(has(r.dialer, "certificate required"));
}

TEST_CASE("a dialer with a certificate of a foreign CA is refused and told so") {
  const authority ca;
  const authority foreign;
  const auto r = dial_with({.identity = foreign.node("spy")}, ca);
  CHECK(r.listener.code == errc::refused);
  CHECK(has(r.listener.text, "the certificate of 'spy' that 10.0.0.9:4242 shows is refused"));
  CHECK(has(r.listener.text, "unknown CA"));
  CHECK(has(r.dialer, "alert"));
}

TEST_CASE("a dialer with an expired certificate is refused and told so") {
  const authority ca;
  const auto r = dial_with({.identity = ca.odd_node({node_uri()}, valid_for(-60))}, ca);
  CHECK(r.listener.code == errc::refused);
  CHECK(has(r.listener.text, "it expired at "));
  CHECK(has(r.dialer, "certificate expired"));
}

TEST_CASE("a node cannot vouch for other nodes") {
  const authority ca;
  const auto node = ca.node("w1");
  auto forged = sign({.uris = {"gradmesh://" + cluster + "/head?roles=coordinator"}}, &node);
  forged.certificate += node.certificate;
  const auto r = dial_with({.identity = forged}, ca);
  CHECK(r.listener.code == errc::refused);
  CHECK(has(r.listener.text, "invalid CA"));
}

TEST_CASE("a node may show the certificates between its own and the CA") {
  const authority unused;
  const auto root = sign({.uris = {}, .may_sign = true, .name = "root"}, nullptr);
  const auto between = sign({.uris = {}, .may_sign = true, .name = "between"}, &root);
  auto node = sign({.uris = {node_uri()}}, &between);
  memory_disk disk;
  put(disk, unused, node);
  REQUIRE(disk.write("ca.crt", root.certificate));
  CHECK_FALSE(tls_context::make(settings_in_memory(), disk)); // nobody could follow
  REQUIRE(disk.write("node.crt", node.certificate + between.certificate));
  const auto context = tls_context::make(settings_in_memory(), disk);
  CAPTURE(context ? "" : context.failure().text);
  REQUIRE(context);
  test_loop loop;
  const auto done = shake_hands(loop, **context, **context);
  CHECK(done.listener);
  CHECK(done.dialer);
}

TEST_CASE("a certificate that names no node, or two, is refused though the CA signed it") {
  const authority ca;
  for (const auto& uris : std::vector<std::vector<std::string>>{
           {}, {node_uri(), node_uri()}, {"https://n"}, {"gradmesh://mesh-1/n?roles=god"}}) {
    const auto r = dial_with({.identity = ca.odd_node(uris)}, ca);
    CHECK(r.listener.code == errc::refused);
    CHECK(has(r.dialer, "bad certificate"));
  }
}

TEST_CASE("a node of another cluster is refused though the CA signed it") {
  const authority ca;
  const auto r = dial_with({.identity = ca.odd_node({node_uri("other")})}, ca);
  CHECK(r.listener.code == errc::incompatible_peer);
  CHECK(has(r.listener.text, "it is for the cluster 'other', and this node belongs to 'mesh-1'"));
}

TEST_CASE("a dialer that offers at most TLS 1.2 is refused and told so") {
  const authority ca;
  const auto r = dial_with({.identity = ca.node("old"), .version_max = TLS1_2_VERSION}, ca);
  CHECK(r.listener.code == errc::incompatible_peer);
  CHECK(has(r.listener.text, "10.0.0.9:4242 does not offer TLS 1.3"));
  CHECK(has(r.dialer, "protocol version"));
}

TEST_CASE("a listener that is not of the mesh is refused by the dialer") {
  const authority ca;
  const authority foreign;
  const auto context = context_of(ca, ca.node("dialer"));
  struct expected {
    bare_options listener;
    errc code;
    std::string text, told;
  };
  for (const auto& e :
       {expected{{.listens = true, .identity = foreign.node("fake")},
                 errc::refused,
                 "unknown CA",
                 "unknown ca"},
        expected{{.listens = true, .identity = ca.odd_node({node_uri("other")})},
                 errc::incompatible_peer,
                 "for the cluster 'other'",
                 "bad certificate"},
        expected{{.listens = true, .identity = ca.node("old"), .version_max = TLS1_2_VERSION},
                 errc::incompatible_peer,
                 "does not speak TLS 1.3",
                 "unsupported protocol"}}) {
    CAPTURE(e.text);
    test_loop loop;
    auto pipe = loop.sockets();
    bare_peer listener(loop, kj::mv(pipe.ends[0]), e.listener);
    auto listening = listener.shake_hands().eagerlyEvaluate(nullptr);
    auto dialled = loop.wait(
        context->connect(loop.io.unixEventPort, kj::mv(pipe.ends[1]), "10.0.0.9:1", "localhost"));
    REQUIRE_FALSE(dialled);
    CHECK(dialled.failure().code == e.code);
    CHECK(has(dialled.failure().text, e.text));
    CHECK(has(dialled.failure().text, "10.0.0.9:1"));
    CHECK(has(loop.wait(kj::mv(listening)), e.told));
  }
}

TEST_CASE("a dialer learns at its first read that the listener refuses it, and why") {
  const authority ca;
  const authority foreign;
  memory_disk disk;
  put(disk, ca, foreign.node("spy"));
  // It trusts the mesh's CA but belongs to another one, which its own check would tell it.
  REQUIRE(disk.write("ca.crt", ca.files().certificate + foreign.files().certificate));
  const auto dialer = tls_context::make(settings_in_memory(), disk);
  REQUIRE(dialer);
  test_loop loop;
  auto done = shake_hands(loop, *context_of(ca, ca.node("head")), **dialer);
  REQUIRE_FALSE(done.listener);
  REQUIRE(done.dialer);
  char byte = 0;
  std::string told;
  loop.wait(done.dialer->stream->tryRead(&byte, 1, 1)
                .then([](std::size_t) { FAIL("read from a listener that refused"); },
                      [&](kj::Exception&& e) { told = e.getDescription().cStr(); }));
  CHECK(has(told, "it does not know the CA of this node's certificate"));
  CHECK(has(told, "gradmesh tls show"));
}

TEST_CASE("a certificate that lists hosts is good at those alone") {
  const authority ca;
  const auto dialer = context_of(ca, ca.node("w1"));
  const auto listener =
      context_of(ca, ca.node("head", {role::coordinator}, {"head.example", "10.0.0.1", "::1"}));
  for (const std::string host : {"head.example", "HEAD.example", "10.0.0.1", "::1", "0::1"}) {
    CAPTURE(host);
    test_loop loop;
    CHECK(shake_hands(loop, *listener, *dialer, host).dialer);
  }
  for (const std::string host : {"head", "x.head.example", "10.0.0.2", "", "::2"}) {
    CAPTURE(host);
    test_loop loop;
    const auto done = shake_hands(loop, *listener, *dialer, host);
    REQUIRE_FALSE(done.dialer);
    CHECK(
        has(done.dialer.failure().text, "it is not for the host '" + host + "' that was dialled"));
    CHECK_FALSE(done.listener);
  }
  // Who dials need not be where its certificate says: its address is not proof of anything.
  test_loop loop;
  CHECK(shake_hands(loop, *dialer, *listener, "anywhere").listener);
}

TEST_CASE("a common name is no host, though a certificate lists only addresses") {
  const authority ca;
  const auto listener = context_of(ca, ca.node("head", {role::coordinator}, {"10.0.0.1"}));
  test_loop loop;
  CHECK_FALSE(shake_hands(loop, *listener, *context_of(ca, ca.node("w1")), "head").dialer);
}

TEST_CASE("bytes that are no TLS are refused with the guess that a node lacks [tls]") {
  for (const std::string text : {"GET / HTTP/1.1\r\n\r\n", "GRADMESH frame without any TLS at all",
                                 "\x16\x03\x01\xff\xff\x01\x02\x03\x04"}) {
    CAPTURE(text);
    const auto why = send_raw(text);
    CHECK(why.code == errc::incompatible_peer);
    CHECK(has(why.text, "does not speak TLS"));
    CHECK(has(why.text, "without the section [tls]"));
  }
}

TEST_CASE("random bytes are refused and cost nothing but the connection") {
  const auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 300; ++i) {
    std::string bytes(random() % 600, '\0');
    for (auto& b : bytes)
      b = static_cast<char>(random());
    // Every second time something that begins like a record of a handshake.
    if (i % 2 == 0 && bytes.size() > 5) bytes.replace(0, 3, "\x16\x03\x01");
    const auto why = send_raw(bytes);
    const bool known = why.code == errc::incompatible_peer || why.code == errc::node_lost;
    CHECK(known);
  }
}

TEST_CASE("a handshake cut at any byte is a lost peer") {
  const auto hello = client_hello();
  REQUIRE(hello.size() > 200);
  for (std::size_t length = 0; length < hello.size(); ++length) {
    CAPTURE(length);
    const auto why = send_raw(hello.substr(0, length));
    CHECK(why.code == errc::node_lost);
  }
  CHECK(send_raw(hello).code == errc::node_lost); // the answer to ours never comes
}

TEST_CASE("a hello with one byte changed is refused or leads nowhere") {
  const auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const auto hello = client_hello();
  for (int i = 0; i < 300; ++i) {
    auto changed = hello;
    changed[random() % changed.size()] ^= static_cast<char>(1 + random() % 255);
    const auto why = send_raw(changed);
    const bool known = why.code == errc::incompatible_peer || why.code == errc::node_lost;
    CHECK(known);
  }
}

TEST_CASE("giving a handshake up closes the connection") {
  const authority ca;
  const auto context = context_of(ca, ca.node("n"));
  test_loop loop;
  auto pipe = loop.sockets();
  auto accepting = context->accept(loop.io.unixEventPort, kj::mv(pipe.ends[0]), "somebody")
                       .eagerlyEvaluate(nullptr);
  char byte = 0;
  auto reading = pipe.ends[1]->tryRead(&byte, 1, 1).eagerlyEvaluate(nullptr);
  CHECK_FALSE(reading.poll(loop.io.waitScope));
  accepting = nullptr;
  CHECK(loop.wait(kj::mv(reading)) == 0);
}

TEST_CASE("a context may end before the streams that it made") {
  const authority ca;
  test_loop loop;
  auto done = [&] {
    const auto context = context_of(ca, ca.node("n"));
    return shake_hands(loop, *context, *context);
  }();
  REQUIRE(done.listener);
  REQUIRE(done.dialer);
  auto writing = done.dialer->stream->write("x", 1).eagerlyEvaluate(nullptr);
  char byte = 0;
  CHECK(loop.wait(done.listener->stream->tryRead(&byte, 1, 1)) == 1);
  CHECK(byte == 'x');
  loop.wait(kj::mv(writing));
}
