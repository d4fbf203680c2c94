#include "config/job_config.hpp"

#include "config/config_table.hpp"
#include "config/emulation_limits.hpp"
#include "config/job_checks.hpp"
#include "config/sample.hpp"

#include <limits>

namespace gradmesh::config {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

using table = config_table<job_config>;

constexpr auto uint32_max = std::numeric_limits<std::uint32_t>::max();
constexpr auto uint64_max = std::numeric_limits<std::uint64_t>::max();

void add_job(table& t) {
  auto job = t.section("job", &job_config::job, "What is trained, and for how long.");
  job.option("name", &job_section::name, name_text(false), "job",
             "Name of the job in views, logs and reports.");
  job.option("strategy", &job_section::strategy, one_of<strategy>(), "bsp",
             "How workers keep in step. bsp: all workers finish a step before any begins the next. "
             "ssp: none is more than job.staleness steps ahead of the slowest. bounded-delay: the "
             "workers' parts of the steps are tasks in a row, and a task begins when all but the "
             "last job.delay tasks before it are applied. async: each worker goes its own way. But "
             "for bsp, gradients are applied as they arrive.");
  job.option("staleness", &job_section::staleness, whole_number<std::uint32_t>(0, 1'000'000), "3",
             "ssp: a worker that begins step c sees all gradients of the steps before c - "
             "staleness, and its own. With optimizer.type = sgd it adds its own to what it reads, "
             "so that it waits for none of them; with other rules until they are applied. 0 is "
             "bsp.");
  job.option("delay", &job_section::delay, whole_number<std::uint32_t>(0, 1'000'000), "8",
             "bounded-delay: tasks that may be missing when one begins. 0 is sequential.");
  job.option("backup_workers", &job_section::backup_workers, whole_number<std::uint32_t>(0, 1023),
             "0",
             "bsp: a step does without the gradients of so many workers, those that are last; "
             "their part of the step's examples is lost.");
  job.option("epochs", &job_section::epochs, whole_number<std::uint32_t>(1, 100'000), "10",
             "How often the training set is gone through.");
  job.option("batch_size", &job_section::batch_size, whole_number<std::uint32_t>(1, 1'048'576),
             "512", "Examples in one step of the whole job, over all workers together.");
  job.option("deterministic", &job_section::deterministic, truth(), "false",
             "Same bits from run to run, whatever the number of workers and servers; needs bsp.");
  job.option("overlap", &job_section::overlap, truth(), "true",
             "Workers compute a step while the next one's parameters and the last one's gradients "
             "travel. false: one after the other, to see the difference.");
  job.option("threads", &job_section::threads, whole_number<std::uint32_t>(1, 256), "1",
             "Threads of each worker. More than 1 go through a batch example by example and change "
             "one copy of its parameters without locks (HOGWILD!); the difference is pushed. For "
             "softmax on sparse data, with optimizer.type = sgd. An example's step is "
             "learning_rate / batch_size.");
  job.option("svrg_epochs", &job_section::svrg_epochs, whole_number<std::uint32_t>(0, 1000), "0",
             "Trains by SVRG: after every so many epochs, and at the beginning, one more epoch (of "
             "job.epochs) changes nothing but takes the whole set's gradient, by which the steps "
             "until the next are corrected. They come to rest at a constant learning rate. For "
             "dense data, with bsp and optimizer.type = sgd. 0: plain gradients.");
  job.option("push_as", &job_section::push_as, one_of<value_format>(), "float32",
             "How gradients travel to the servers. What the shorter formats lose is kept by the "
             "worker and added to its next push.");
  job.option("pull_as", &job_section::pull_as, one_of<value_format>(), "float32",
             "How parameters travel to the workers; the servers keep them in float32.");
  job.option("micro_batches", &job_section::micro_batches, power_of_two(1, 1024), "4",
             "Pieces that a step is cut into when deterministic; their gradients are summed in a "
             "fixed order. At least as many as there are workers.");
  job.option("seed", &job_section::seed, whole_number<std::uint64_t>(0, uint64_max), "1",
             "Seed of the shuffles and of the initial parameters.");
  job.option("model_file", &job_section::model_file, free_text("a path"), "gradmesh-model.gmm",
             "Where the trained model is saved; empty: it is not saved.");
  job.option("record", &job_section::record, free_text("a path"), "",
             "Where each shard writes down what it does, for `gradmesh verify` and `gradmesh "
             "replay`: FILE.0 on the machine of the first shard, and so on; empty: nowhere.");
  job.option("steps", &job_section::steps, whole_number<std::uint64_t>(0, 1'000'000'000'000), "0",
             "Stop after so many steps; 0: as many as the epochs give.");
  job.option("request_timeout", &job_section::request_timeout,
             whole_number<seconds>(1, 86'400, "seconds"), "120",
             "How long any request between nodes may take before the job fails.");
  job.option("replication", &job_section::replication, whole_number<std::uint32_t>(1, 2), "2",
             "Copies of each shard, on different nodes. 2: what a server has acknowledged outlives "
             "it; with servers on one node only, there is nowhere to put the second. 1: a server "
             "that dies takes its part of the model with it (\"unreplicated\").");
  job.option(
      "wait", &job_section::wait, whole_number<seconds>(0, 86'400, "seconds"), "60",
      "How long a running job that has lost its last worker or its last data server waits "
      "for another before it fails, and how long it waits for a server that is away with the "
      "only copy of a part of the model.");
}

void add_data(table& t) {
  auto data =
      t.section("data", &job_config::data,
                "The training and test examples. Paths are as seen by who reads them (served_by); "
                "relative ones start at the folder where the program was started.");
  data.option(
      "format", &data_section::format, one_of<data_format>(), "debian-packages",
      "debian-packages: the package lists of this Debian machine (name and short description "
      "-> section). libsvm: sparse text. csv, tsv: a label and numbers in each line. idx: the "
      "format of MNIST, also gzipped.");
  data.option("served_by", &data_section::served_by, one_of<data_service>(), "data-servers",
              "Who hands out the examples. data-servers: data servers of their own. partitioned: "
              "each worker itself, which then reads the data and takes its share.");
  data.option("train", &data_section::train, free_text("a path"), "",
              "The training examples. Required, but for debian-packages.");
  data.option("test", &data_section::test, free_text("a path"), "",
              "The test examples; empty: see test_last and test_fraction.");
  data.option("train_labels", &data_section::train_labels, free_text("a path"), "",
              "idx only, and required there: the labels of train.");
  data.option("test_labels", &data_section::test_labels, free_text("a path"), "",
              "idx only: the labels of test.");
  data.option("test_last", &data_section::test_last, whole_number<std::uint64_t>(0, uint32_max),
              "0",
              "Without a test file: the last so many examples of train are the test set; 0: off.");
  data.option("test_fraction", &data_section::test_fraction, real_number({.min = 0, .max = 0.9}),
              "0",
              "Without a test file: this part of train is the test set, chosen by a stable hash.");
  data.option("features", &data_section::features, whole_number<std::uint32_t>(0, uint32_max), "0",
              "Width of an example; data beyond it is an error. 0: taken from the data.");
  data.option("classes", &data_section::classes, whole_number<std::uint32_t>(0, 1'000'000), "0",
              "Number of classes; labels beyond it are an error. 0: taken from the data.");
  data.option("label_column", &data_section::label_column, position(1'000'000), "1",
              "csv and tsv: the column of the label. 1 is the first, -1 the last.");
  data.option("header", &data_section::header, truth(), "false",
              "csv and tsv: the first line names the columns and is skipped.");
  data.option("scale", &data_section::scale, real_number({.min = 0, .max = 1e30, .min_open = true}),
              "1", "Every value is multiplied by it: 0.00392156862745098 brings bytes to 0..1.");
  data.option(
      "cache", &data_section::cache, free_text("a path"), "",
      "debian-packages: folder for the converted examples; empty: $XDG_CACHE_HOME/gradmesh, "
      "or ~/.cache/gradmesh.");
}

void add_model(table& t) {
  auto model = t.section("model", &job_config::model, "What is trained.");
  model.option(
      "type", &model_section::type, one_of<model_kind>(), "softmax",
      "softmax: multinomial logistic regression. mlp: layers of rectified linear units below "
      "a softmax; for dense data.");
  model.option("hidden", &model_section::hidden, number_list(1, 65'536, 64), "",
               "mlp only, and required there: the widths of the hidden layers, as in 256,128.");
  model.option("l2", &model_section::l2, real_number({.min = 0, .max = 1e6}), "0",
               "Weight of the squared parameters in the loss (l2/2 |w|^2).");
}

void add_rates(table::section_options<optimizer_section>& optimizer) {
  optimizer.option("learning_rate", &optimizer_section::learning_rate,
                   real_number({.min = 0, .max = 1e6, .min_open = true}), "0.1",
                   "Size of a step. sgld: the variance of a step's noise.");
  optimizer.option("schedule", &optimizer_section::schedule, one_of<rate_decay>(), "constant",
                   "How the learning rate falls. step: by decay_factor every decay_steps steps. "
                   "cosine: half a wave down to min_rate at the end of the job. inverse-sqrt: "
                   "divided by the root of 1 + step / decay_steps.");
  optimizer.option(
      "warmup_steps", &optimizer_section::warmup_steps,
      whole_number<std::uint64_t>(0, 1'000'000'000'000), "0",
      "Before the schedule begins, the learning rate rises to its full size in so many "
      "equal steps.");
  optimizer.option("decay_steps", &optimizer_section::decay_steps,
                   whole_number<std::uint64_t>(1, 1'000'000'000'000), "1000",
                   "step, inverse-sqrt: see schedule. 1 makes inverse-sqrt 1/sqrt(t).");
  optimizer.option("decay_factor", &optimizer_section::decay_factor,
                   real_number({.min = 0, .max = 1, .min_open = true}), "0.1",
                   "step: see schedule.");
  optimizer.option("min_rate", &optimizer_section::min_rate, real_number({.min = 0, .max = 1e6}),
                   "0", "No schedule goes below it.");
  optimizer.option(
      "staleness_scaling", &optimizer_section::staleness_scaling, one_of<staleness_scaling>(),
      "none",
      "Strategies that apply gradients as they arrive. none: each at the learning rate "
      "divided by the number of workers. inverse: divided by the number of gradients "
      "that were applied since the worker read, but at least by 1. bsp has none that is stale.");
}

void add_optimizer(table& t) {
  const real_range decay{.min = 0, .max = 1, .max_open = true};
  const real_range weight{.min = 0, .max = 1e6};
  auto optimizer =
      t.section("optimizer", &job_config::optimizer, "How gradients change parameters.");
  optimizer.option("type", &optimizer_section::type, rule_name(), "adagrad",
                   "The update rule that the servers apply. sgld samples from the posterior; it is "
                   "for dense tables.");
  optimizer.option("tables", &optimizer_section::tables, table_rule_list(), "",
                   "Tables with another rule, as in bias:sgd,layer0.weights:momentum. The options "
                   "below are those of all tables.");
  add_rates(optimizer);
  optimizer.option("momentum", &optimizer_section::momentum, real_number(decay), "0.9",
                   "momentum, nesterov: how much of the last step is kept in the next.");
  optimizer.option("beta1", &optimizer_section::beta1, real_number(decay), "0.9",
                   "adam, adamw: decay of the mean of the gradients.");
  optimizer.option("beta2", &optimizer_section::beta2, real_number(decay), "0.999",
                   "adam, adamw: decay of the mean of the squared gradients.");
  optimizer.option("epsilon", &optimizer_section::epsilon,
                   real_number({.min = 0, .max = 1, .min_open = true}), "1e-08",
                   "adagrad, rmsprop, adam, adamw: added to the divisor.");
  optimizer.option("rho", &optimizer_section::rho, real_number(decay), "0.9",
                   "rmsprop: decay of the mean of the squared gradients.");
  optimizer.option("weight_decay", &optimizer_section::weight_decay, real_number(weight), "0.01",
                   "adamw: times the learning rate, what parameters lose of themselves in a step.");
  optimizer.option("ftrl_beta", &optimizer_section::ftrl_beta,
                   real_number({.min = 0, .max = 1e6, .min_open = true}), "1",
                   "ftrl: the larger, the smaller are the first steps.");
  optimizer.option("ftrl_l1", &optimizer_section::ftrl_l1, real_number(weight), "0",
                   "ftrl: weight of |w|, which makes parameters exactly 0. It is held against the "
                   "sum of a parameter's gradients, not their mean.");
  optimizer.option("ftrl_l2", &optimizer_section::ftrl_l2, real_number(weight), "0",
                   "ftrl: weight of w^2 / 2, likewise.");
}

void add_mesh(table& t) {
  auto mesh = t.section("mesh", &job_config::mesh,
                        "The processes that `gradmesh run` starts, and how parameters are cut.");
  mesh.option("servers", &mesh_section::servers, whole_number<std::uint32_t>(1, 1024), "2",
              "Server nodes; they hold the "
              "parameters.");
  mesh.option("workers", &mesh_section::workers, whole_number<std::uint32_t>(1, 1024), "2",
              "Worker nodes; they compute gradients.");
  mesh.option("data_servers", &mesh_section::data_servers, whole_number<std::uint32_t>(0, 1024),
              "1",
              "Data server nodes; they hand out the examples, and are not needed with "
              "data.served_by = partitioned.");
  mesh.option("listen", &mesh_section::listen, address(true), "127.0.0.1:0",
              "Where the coordinator of `gradmesh run` listens, so that `gradmesh status "
              "--coordinator HOST:PORT` can look at it. A loopback address: its nodes do without "
              "TLS.");
  mesh.option("partitions", &mesh_section::partitions, whole_number<std::uint32_t>(1, 65'536), "32",
              "Pieces that each table of parameters is cut into; the servers' shards share them.");
  mesh.option("lane", &mesh_section::lane, one_of<lane_kind>(), "shm",
              "What the processes of `gradmesh run` exchange tensors through: shared memory, TCP, "
              "or TCP with TLS and certificates made for this run.");
  mesh.option("log_dir", &mesh_section::log_dir, free_text("a path"), ".gradmesh",
              "Folder for the logs of the started processes.");
  mesh.option("restarts", &mesh_section::restarts, whole_number<std::uint32_t>(0, 1000), "5",
              "How often a process that dies is started again within mesh.restart_window; one "
              "that dies more often is left dead, and said to be. 0: never.");
  mesh.option("restart_window", &mesh_section::restart_window,
              whole_number<seconds>(1, 86'400, "seconds"), "60", "See restarts.");
}

void add_checkpoint(table& t) {
  auto checkpoint =
      t.section("checkpoint", &job_config::checkpoint,
                "What a job can go on from when everything else is lost (deploy/checkpoints.md).");
  checkpoint.option("folder", &checkpoint_section::folder, free_text("a path"), "",
                    "Where the job's checkpoints are written, on the coordinator's machine; a "
                    "folder of its own. Empty: there are none.");
  checkpoint.option("interval", &checkpoint_section::interval,
                    whole_number<seconds>(0, 604'800, "seconds"), "0",
                    "Seconds from the end of one checkpoint to the next; 0: only when `gradmesh "
                    "checkpoint create` asks for one.");
  checkpoint.option("keep", &checkpoint_section::keep, whole_number<std::uint64_t>(1, 100'000), "3",
                    "Whole checkpoints that are kept; older ones are deleted.");
  checkpoint.option("rate_mb_per_s", &checkpoint_section::rate_mb_per_s,
                    whole_number<std::uint64_t>(0, 1'000'000), "25",
                    "Megabytes a second that all servers together write of one, at most. What a "
                    "checkpoint costs grows with its bytes: one that takes its time takes a small "
                    "share of the training's. 0: as fast as it goes.");
}

void add_emulation(table& t) {
  auto emulation = t.section("emulation", &job_config::emulation,
                             "For experiments only: makes the nodes that `gradmesh run` starts "
                             "slower than they are, to see how slow links or slow workers are "
                             "dealt with.");
  emulation.option("link_delay_ms", &mesh_emulation_section::link_delay,
                   whole_number<milliseconds>(0, link_delay_ms_max, "milliseconds"), "0",
                   "Experiment: whatever a node sends to another leaves so much later.");
  emulation.option("step_time_ms", &mesh_emulation_section::step_time,
                   whole_number<milliseconds>(0, step_time_ms_max, "milliseconds"), "0",
                   "Experiment: a worker takes at least so long to compute a step.");
  emulation.option("slow_workers", &mesh_emulation_section::slow_workers,
                   rank_factors(slowdown_max), "",
                   "Experiment: these workers take so many times as long to compute a step.");
  emulation.option("slow_part", &mesh_emulation_section::slow_part,
                   real_number({.min = 0, .max = 1, .min_open = true}), "1",
                   "Experiment: slow workers are so in this part of their steps, at random.");
}

table make_table() {
  table t;
  add_job(t);
  add_data(t);
  add_model(t);
  add_optimizer(t);
  add_mesh(t);
  add_checkpoint(t);
  add_emulation(t);
  return t;
}

/// Made once: parsing a file is cheaper than this.
const table& all_options() {
  static const table made = make_table();
  return made;
}

} // namespace

name_list<value_format> names_of(value_format) {
  static constexpr enum_name<value_format> names[] = {{value_format::float32, "float32"},
                                                      {value_format::float16, "float16"},
                                                      {value_format::bfloat16, "bfloat16"},
                                                      {value_format::int8, "int8"}};
  return names;
}

name_list<lane_kind> names_of(lane_kind) {
  static constexpr enum_name<lane_kind> names[] = {
      {lane_kind::shm, "shm"}, {lane_kind::tcp, "tcp"}, {lane_kind::tls, "tls"}};
  return names;
}

name_list<strategy> names_of(strategy) {
  static constexpr enum_name<strategy> names[] = {{strategy::bsp, "bsp"},
                                                  {strategy::ssp, "ssp"},
                                                  {strategy::bounded_delay, "bounded-delay"},
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

name_list<data_service> names_of(data_service) {
  static constexpr enum_name<data_service> names[] = {{data_service::data_servers, "data-servers"},
                                                      {data_service::partitioned, "partitioned"}};
  return names;
}

name_list<model_kind> names_of(model_kind) {
  static constexpr enum_name<model_kind> names[] = {{model_kind::softmax, "softmax"},
                                                    {model_kind::mlp, "mlp"}};
  return names;
}

name_list<rate_decay> names_of(rate_decay) {
  static constexpr enum_name<rate_decay> names[] = {{rate_decay::constant, "constant"},
                                                    {rate_decay::step, "step"},
                                                    {rate_decay::cosine, "cosine"},
                                                    {rate_decay::inverse_sqrt, "inverse-sqrt"}};
  return names;
}

name_list<staleness_scaling> names_of(staleness_scaling) {
  static constexpr enum_name<staleness_scaling> names[] = {{staleness_scaling::none, "none"},
                                                           {staleness_scaling::inverse, "inverse"}};
  return names;
}

loaded<job_config> load_job(const std::string& path, const overrides& over) {
  const auto text = read_ini(path);
  if (!text) return {{}, {}, {{path, 0, text.failure().text}}};
  return parse_job(*text, path, over);
}

loaded<job_config> parse_job(std::string_view text, const std::string& name,
                             const overrides& over) {
  return all_options().parse(
      text, name, over, [](job_config&) {}, check_job);
}

std::string dump_job(const job_config& job) {
  return dump_ini(all_options().list(job));
}

std::string sample_job() {
  return sample_ini(all_options().options(),
                    "A job file: what to train, on which data, on which mesh. Every option is "
                    "here; take the '#' off a line to set it. `gradmesh run FILE` trains it.",
                    {"job", "data", "model", "optimizer", "mesh", "checkpoint", "emulation"}, {});
}

} // namespace gradmesh::config
