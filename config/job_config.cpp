#include "config/job_config.hpp"

#include "config/config_table.hpp"
#include "config/job_checks.hpp"
#include "config/sample.hpp"

#include <limits>

namespace gradmesh::config {

namespace {

using std::chrono::seconds;

using table = config_table<job_config>;

constexpr auto uint32_max = std::numeric_limits<std::uint32_t>::max();
constexpr auto uint64_max = std::numeric_limits<std::uint64_t>::max();

void add_job(table& t) {
  t.section("job", "What is trained, and for how long.");
  t.option(
      "name", name_text(false), [](auto& c) -> auto& { return c.job.name; }, "job",
      "Name of the job in views, logs and reports.");
  t.option(
      "strategy", one_of<strategy>(), [](auto& c) -> auto& { return c.job.strategy; }, "bsp",
      "How workers keep in step. bsp: all workers finish a step before any begins the next. "
      "async: each worker goes its own way and its gradients are applied as they arrive.");
  t.option(
      "epochs", whole_number<std::uint32_t>(1, 100'000),
      [](auto& c) -> auto& { return c.job.epochs; }, "10",
      "How often the training set is gone through.");
  t.option(
      "batch", whole_number<std::uint32_t>(1, 1'048'576),
      [](auto& c) -> auto& { return c.job.batch; }, "512",
      "Examples in one step of the whole job, over all workers together.", "batch_size");
  t.option(
      "deterministic", truth(), [](auto& c) -> auto& { return c.job.deterministic; }, "false",
      "Same bits from run to run, whatever the number of workers and servers; needs bsp.");
  t.option(
      "micro_batches", power_of_two(1, 1024), [](auto& c) -> auto& { return c.job.micro_batches; },
      "4",
      "Pieces that a step is cut into when deterministic; their gradients are summed in a "
      "fixed order. At least as many as there are workers.");
  t.option(
      "seed", whole_number<std::uint64_t>(0, uint64_max),
      [](auto& c) -> auto& { return c.job.seed; }, "1",
      "Seed of the shuffles and of the initial parameters.");
  t.option(
      "model_file", free_text("a path"), [](auto& c) -> auto& { return c.job.model_file; },
      "gradmesh-model.gmm", "Where the trained model is saved; empty: it is not saved.");
  t.option(
      "steps", whole_number<std::uint64_t>(0, 1'000'000'000'000),
      [](auto& c) -> auto& { return c.job.steps; }, "0",
      "Stop after so many steps; 0: as many as the epochs give.");
  t.option(
      "request_timeout", whole_number<seconds>(1, 86'400, "seconds"),
      [](auto& c) -> auto& { return c.job.request_timeout; }, "120",
      "How long any request between nodes may take before the job fails.");
}

void add_data(table& t) {
  t.section("data", "The training and test examples. Paths are as seen by the data servers; "
                    "relative ones start at the folder where the program was started.");
  t.option(
      "format", one_of<data_format>(), [](auto& c) -> auto& { return c.data.format; },
      "debian-packages",
      "debian-packages: the package lists of this Debian machine (name and short description "
      "-> section). libsvm: sparse text. csv, tsv: a label and numbers in each line. idx: the "
      "format of MNIST, also gzipped.");
  t.option(
      "train", free_text("a path"), [](auto& c) -> auto& { return c.data.train; }, "",
      "The training examples. Required, but for debian-packages.");
  t.option(
      "test", free_text("a path"), [](auto& c) -> auto& { return c.data.test; }, "",
      "The test examples; empty: see test_last and test_fraction.");
  t.option(
      "train_labels", free_text("a path"), [](auto& c) -> auto& { return c.data.train_labels; }, "",
      "idx only, and required there: the labels of train.");
  t.option(
      "test_labels", free_text("a path"), [](auto& c) -> auto& { return c.data.test_labels; }, "",
      "idx only: the labels of test.");
  t.option(
      "test_last", whole_number<std::uint64_t>(0, uint32_max),
      [](auto& c) -> auto& { return c.data.test_last; }, "0",
      "Without a test file: the last so many examples of train are the test set; 0: off.");
  t.option(
      "test_fraction", real_number({.min = 0, .max = 0.9}),
      [](auto& c) -> auto& { return c.data.test_fraction; }, "0",
      "Without a test file: this part of train is the test set, chosen by a stable hash.");
  t.option(
      "features", whole_number<std::uint32_t>(0, uint32_max),
      [](auto& c) -> auto& { return c.data.features; }, "0",
      "Width of an example; data beyond it is an error. 0: taken from the data.");
  t.option(
      "classes", whole_number<std::uint32_t>(0, 1'000'000),
      [](auto& c) -> auto& { return c.data.classes; }, "0",
      "Number of classes; labels beyond it are an error. 0: taken from the data.");
  t.option(
      "label_column", whole_number<std::uint32_t>(0, 1'000'000),
      [](auto& c) -> auto& { return c.data.label_column; }, "0",
      "csv and tsv: the column of the label, from 0.");
  t.option(
      "header", truth(), [](auto& c) -> auto& { return c.data.header; }, "false",
      "csv and tsv: the first line names the columns and is skipped.");
  t.option(
      "scale", real_number({.min = 0, .max = 1e30, .min_open = true}),
      [](auto& c) -> auto& { return c.data.scale; }, "1",
      "Every value is multiplied by it: 0.00392156862745098 brings bytes to 0..1.");
  t.option(
      "cache", free_text("a path"), [](auto& c) -> auto& { return c.data.cache; }, "",
      "debian-packages: folder for the converted examples; empty: $XDG_CACHE_HOME/gradmesh, "
      "or ~/.cache/gradmesh.");
}

void add_model(table& t) {
  t.section("model", "What is trained.");
  t.option(
      "kind", one_of<model_kind>(), [](auto& c) -> auto& { return c.model.kind; }, "softmax",
      "softmax: multinomial logistic regression. mlp: layers of rectified linear units below "
      "a softmax; for dense data.",
      "type");
  t.option(
      "hidden", number_list(1, 65'536, 64), [](auto& c) -> auto& { return c.model.hidden; }, "",
      "mlp only, and required there: the widths of the hidden layers, as in 256,128.");
  t.option(
      "l2", real_number({.min = 0, .max = 1e6}), [](auto& c) -> auto& { return c.model.l2; }, "0",
      "Weight of the squared parameters in the loss (l2/2 |w|^2).");
}

void add_optimizer(table& t) {
  const real_range decay{.min = 0, .max = 1, .max_open = true};
  t.section("optimizer", "How gradients change parameters.");
  t.option(
      "kind", one_of<optimizer_kind>(), [](auto& c) -> auto& { return c.optimizer.kind; },
      "adagrad", "The update rule that the servers apply.", "type");
  t.option(
      "learning_rate", real_number({.min = 0, .max = 1e6, .min_open = true}),
      [](auto& c) -> auto& { return c.optimizer.learning_rate; }, "0.1", "Size of a step.");
  t.option(
      "momentum", real_number(decay), [](auto& c) -> auto& { return c.optimizer.momentum; }, "0.9",
      "momentum: how much of the last step is kept in the next.");
  t.option(
      "beta1", real_number(decay), [](auto& c) -> auto& { return c.optimizer.beta1; }, "0.9",
      "adam: decay of the mean of the gradients.");
  t.option(
      "beta2", real_number(decay), [](auto& c) -> auto& { return c.optimizer.beta2; }, "0.999",
      "adam: decay of the mean of the squared gradients.");
  t.option(
      "epsilon", real_number({.min = 0, .max = 1, .min_open = true}),
      [](auto& c) -> auto& { return c.optimizer.epsilon; }, "1e-08",
      "adagrad and adam: added to the divisor.");
}

void add_mesh(table& t) {
  t.section("mesh", "The processes that `gradmesh run` starts, and how parameters are cut.");
  t.option(
      "servers", whole_number<std::uint32_t>(1, 1024),
      [](auto& c) -> auto& { return c.mesh.servers; }, "2",
      "Server nodes; they hold the "
      "parameters.");
  t.option(
      "workers", whole_number<std::uint32_t>(1, 1024),
      [](auto& c) -> auto& { return c.mesh.workers; }, "2",
      "Worker nodes; they compute gradients.");
  t.option(
      "data_servers", whole_number<std::uint32_t>(1, 1024),
      [](auto& c) -> auto& { return c.mesh.data_servers; }, "1",
      "Data server nodes; they hand out batches.");
  t.option(
      "partitions", whole_number<std::uint32_t>(1, 65'536),
      [](auto& c) -> auto& { return c.mesh.partitions; }, "32",
      "Pieces that each table of parameters is cut into; the servers' shards share them.");
  t.option(
      "log_dir", free_text("a path"), [](auto& c) -> auto& { return c.mesh.log_dir; }, ".gradmesh",
      "Folder for the logs of the started processes.");
}

table make_table() {
  table t;
  add_job(t);
  add_data(t);
  add_model(t);
  add_optimizer(t);
  add_mesh(t);
  return t;
}

} // namespace

name_list<strategy> names_of(strategy) {
  static constexpr enum_name<strategy> names[] = {{strategy::bsp, "bsp"},
                                                  {strategy::async, "async"}};
  return names;
}

name_list<data_format> names_of(data_format) {
  static constexpr enum_name<data_format> names[] = {
      {data_format::debian_packages, "debian-packages"},
      {data_format::libsvm, "libsvm"},
      {data_format::csv, "csv"},
      {data_format::tsv, "tsv"},
      {data_format::idx, "idx"}};
  return names;
}

name_list<model_kind> names_of(model_kind) {
  static constexpr enum_name<model_kind> names[] = {{model_kind::softmax, "softmax"},
                                                    {model_kind::mlp, "mlp"}};
  return names;
}

name_list<optimizer_kind> names_of(optimizer_kind) {
  static constexpr enum_name<optimizer_kind> names[] = {{optimizer_kind::sgd, "sgd"},
                                                        {optimizer_kind::momentum, "momentum"},
                                                        {optimizer_kind::adagrad, "adagrad"},
                                                        {optimizer_kind::adam, "adam"}};
  return names;
}

loaded<job_config> load_job(const std::string& path, const overrides& over) {
  const auto text = read_ini(path);
  if (!text) return {{}, {}, {{path, 0, text.failure().text}}};
  return parse_job(*text, path, over);
}

loaded<job_config> parse_job(std::string_view text, const std::string& name,
                             const overrides& over) {
  return make_table().parse(
      text, name, over, [](job_config&) {}, check_job);
}

std::string dump_job(const job_config& job) {
  return dump_ini(make_table().list(job));
}

std::string sample_job() {
  return sample_ini(make_table().options(),
                    "A job file: what to train, on which data, on which mesh. Every option is "
                    "here; take the '#' off a line to set it. `gradmesh run FILE` trains it.",
                    {"job", "data", "model", "optimizer", "mesh"}, {});
}

} // namespace gradmesh::config
