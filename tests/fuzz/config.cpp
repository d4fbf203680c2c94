/// Job files, node files and addresses: text from users and, for jobs, from peers.

#include "tests/fuzz/target.hpp"

#include "config/endpoint.hpp"
#include "config/ini_file.hpp"
#include "config/job_config.hpp"
#include "config/node_config.hpp"

#include <algorithm>

namespace gradmesh::fuzz {
namespace {

// The first byte of an input: what the rest is.
enum kind : std::uint8_t { job_file, node_file, one_endpoint, kinds };

std::string input_of(kind what, std::string_view text) {
  return std::string(1, static_cast<char>(what)).append(text);
}

template <class T>
void check_diagnostics(const config::loaded<T>& loaded, std::string_view text) {
  promise(loaded.value.has_value() == loaded.diagnostics.empty(),
          "a file has a value or diagnostics");
  const auto lines = static_cast<std::size_t>(1 + std::ranges::count(text, '\n'));
  for (const auto& d : loaded.diagnostics)
    promise(d.line <= lines && !d.text.empty(), "a diagnostic has a text and a line of the file");
}

bool accepts_job(std::string_view text) {
  const auto job = config::parse_job(text, "input");
  check_diagnostics(job, text);
  if (!job) return false;
  const auto again = config::parse_job(config::dump_job(*job.value), "dump");
  promise(again && *again.value == *job.value, "a job survives its dump");
  const auto with_origin = config::parse_job(config::dump_ini(job.options, true), "dump");
  promise(with_origin && *with_origin.value == *job.value, "a job survives its dump with origins");
  return true;
}

bool accepts_node(std::string_view text) {
  const auto node = config::parse_node(text, "input");
  check_diagnostics(node, text);
  if (!node) return false;
  const auto again = config::parse_node(config::dump_node(*node.value), "dump");
  promise(again && *again.value == *node.value, "a node survives its dump");
  return true;
}

bool accepts_endpoint(std::string_view text) {
  const auto at = config::parse_endpoint(text);
  if (!at) return false;
  const auto again = config::parse_endpoint(config::to_string(*at));
  promise(again && *again == *at, "an address survives being written");
  (void)config::is_loopback(*at);
  return true;
}

} // namespace

std::vector<std::string> seeds() {
  std::vector<std::string> all{
      input_of(job_file, ""),
      input_of(job_file, config::dump_job(*config::parse_job("", "").value)),
      input_of(job_file,
               "\xef\xbb\xbf[ job ] # comment\r\nepochs = 3\r\n; comment\n[mesh]\nlog_dir = a#b\n"
               "listen = [::1]:0\nworkers=2\n[model]\nhidden = 3, 4\ntype = mlp\n"
               "[data]\nformat = csv\ntrain = t.csv\nlabel_column = -1\n"
               "test_fraction = .25\n[optimizer]\nlearning_rate = 1e-3\ntables = a:sgd,b.c:x/y\n"
               "schedule = cosine"),
      input_of(one_endpoint, "localhost:7700"),
      input_of(one_endpoint, "[fe80::1]:0"),
      input_of(one_endpoint, "127.0.0.1:65535")};
  for (const auto role : {config::role::coordinator, config::role::server, config::role::worker,
                          config::role::data_server})
    all.push_back(input_of(node_file, config::sample_node(role)));
  return all;
}

bool accepts(std::string_view input) {
  options_reader in(input);
  switch (in.byte() % kinds) {
  case job_file:
    return accepts_job(in.rest());
  case node_file:
    return accepts_node(in.rest());
  default:
    return accepts_endpoint(in.rest());
  }
}

} // namespace gradmesh::fuzz
