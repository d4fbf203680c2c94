/// The `gradmesh` program: one verb, then its arguments.

#include "actors/version.hpp"
#include "tools/command.hpp"

#include <cstdio>
#include <iostream>
#include <iterator>

namespace gradmesh::tools {
namespace {

constexpr command commands[] = {
    {"run", "train a job on a mesh started on this machine", run_command},
    {"node", "start one node of a mesh", node_command},
    {"submit", "train a job on a running mesh", submit_command},
    {"change", "change how the running job keeps in step", change_command},
    {"cancel", "end the running job of a mesh", cancel_command},
    {"drain", "take a node out of the running job", drain_command},
    {"status", "show nodes, shards, workers, data servers and the job", status_command},
    {"eval", "score a saved model on data", eval_command},
    {"data", "make and inspect data files", data_command},
    {"lab", "check what each method promises, in virtual time", lab_command},
    {"sim", "let nodes, links and machines fail, in virtual time", sim_command},
    {"verify", "check what the shards of a job wrote down", verify_command},
    {"replay", "do a recorded job again, bit by bit", replay_command},
    {"checkpoint", "make, restore, list and verify checkpoints of a job", checkpoint_command},
    {"bench", "measure links, pushes and pulls", bench_command},
    {"chaos", "train a job while its processes are killed, stopped and cut off", chaos_command},
    {"config", "check, print and explain configuration files", config_command},
    {"tls", "make and inspect the certificates of a mesh", tls_command},
};

void print_help(std::ostream& out) {
  out << "gradmesh " << version << ": trains machine-learning models on a mesh of actors\n\n"
      << "usage: gradmesh VERB [arguments]\n\n";
  for (const auto& c : commands) {
    std::string verb = c.verb;
    verb.resize(12, ' ');
    out << "  " << verb << c.summary << "\n";
  }
  out << "\n`gradmesh VERB --help` explains each. First steps: gradmesh run "
         "config/quickstart.ini\n";
}

int dispatch(const std::vector<std::string>& arguments) {
  if (arguments.empty()) {
    print_help(std::cerr);
    return exit_usage;
  }
  const auto& verb = arguments.front();
  if (verb == "help" || verb == "--help" || verb == "-h") {
    print_help(std::cout);
    return exit_ok;
  }
  if (verb == "version" || verb == "--version") {
    std::cout << "gradmesh " << version << "\n";
    return exit_ok;
  }
  for (const auto& c : commands)
    if (verb == c.verb) return c.run({std::next(arguments.begin()), arguments.end()});
  std::cerr << "gradmesh: error: '" << verb << "' is not a verb\n\n";
  print_help(std::cerr);
  return exit_usage;
}

} // namespace
} // namespace gradmesh::tools

int main(int argc, char** argv) {
  try {
    const int code = gradmesh::tools::dispatch({argv + 1, argv + argc});
    // What nobody could read was not done.
    if (std::cout.flush()) return code;
    std::fprintf(stderr, "gradmesh: error: the results could not be written to standard output\n");
    return code == gradmesh::tools::exit_ok ? gradmesh::tools::exit_failed : code;
  } catch (const std::exception& e) {
    // Out of memory, or a defect of ours; everything expected is a value.
    std::fprintf(stderr, "gradmesh: unexpected error: %s\n", e.what());
    return gradmesh::tools::exit_failed;
  }
}
