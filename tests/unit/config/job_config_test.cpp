#include "config/job_config.hpp"

#include <doctest/doctest.h>

using namespace gradmesh::config;

namespace {

/// The rendered diagnostics of a text.
std::string faults(const std::string& text) {
  return to_string(parse_job(text, "job.ini").diagnostics);
}

/// A text without its comment signs before assignments: every option set to its default.
std::string uncommented(const std::string& sample) {
  std::string text;
  for (std::size_t i = 0; i < sample.size(); ++i) {
    const bool at_line_start = i == 0 || sample[i - 1] == '\n';
    const bool before_key = i + 1 < sample.size() && sample[i] == '#' && sample[i + 1] != ' ';
    if (!(at_line_start && before_key)) text += sample[i];
  }
  return text;
}

} // namespace

TEST_CASE("a job file without a line is the default job") {
  const auto job = parse_job("", "job.ini");
  REQUIRE(job);
  const auto& c = *job.value;
  CHECK(c.job.name == "job");
  CHECK(c.job.strategy == strategy::bsp);
  CHECK(c.job.epochs == 10);
  CHECK(c.job.batch_size == 512);
  CHECK_FALSE(c.job.deterministic);
  CHECK(c.job.overlap);
  CHECK(c.job.micro_batches == 4);
  CHECK(c.job.seed == 1);
  CHECK(c.job.model_file == "gradmesh-model.gmm");
  CHECK(c.job.record.empty());
  CHECK(c.job.steps == 0);
  CHECK(c.job.request_timeout == std::chrono::seconds(120));
  CHECK(c.job.replication == 2);
  CHECK(c.job.wait == std::chrono::seconds(60));
  CHECK(c.data.format == data_format::debian_packages);
  CHECK(c.data.served_by == data_service::data_servers);
  CHECK(c.data.label_column == 1);
  CHECK(c.data.scale == 1);
  CHECK(c.model.type == model_kind::softmax);
  CHECK(c.optimizer.momentum == 0.9);
  CHECK(c.optimizer.beta1 == 0.9);
  CHECK(c.optimizer.beta2 == 0.999);
  CHECK(c.optimizer.epsilon == 1e-8);
  CHECK(c.mesh.servers == 2);
  CHECK(c.mesh.workers == 2);
  CHECK(c.mesh.data_servers == 1);
  CHECK(c.mesh.listen == endpoint{"127.0.0.1", 0});
  CHECK(c.mesh.partitions == 32);
  CHECK(c.mesh.lane == lane_kind::shm);
  CHECK(c.job.push_as == value_format::float32);
  CHECK(c.job.pull_as == value_format::float32);
  CHECK(c.mesh.log_dir == ".gradmesh");
  CHECK(c.mesh.restarts == 5);
  CHECK(c.mesh.restart_window == std::chrono::seconds(60));
  CHECK(c.checkpoint ==
        checkpoint_section{.folder = "", .interval = {}, .keep = 3, .rate_mb_per_s = 25});
  CHECK(c.emulation == mesh_emulation_section{});
}

TEST_CASE("every option of a job file reaches its member") {
  const auto job = parse_job(
      "[job]\nname = j\nstrategy = async\nstaleness = 21\ndelay = 22\nepochs = 2\nbatch_size = 3\n"
      "deterministic = no\noverlap = no\nthreads = 1\nsvrg_epochs = 0\nmicro_batches = 8\nseed = "
      "18446744073709551615\n"
      "model_file =\nrecord = logs/clock\nsteps = 7\nrequest_timeout = 9\n"
      "replication = 1\nwait = 11\n"
      "[data]\nformat = csv\nserved_by = partitioned\ntrain = a.csv\ntest = b.csv\n"
      "train_labels = c\ntest_labels = d\ntest_last = 0\n"
      "test_fraction = 0.0\nfeatures = 11\nclasses = 12\nlabel_column = -13\n"
      "header = yes\nscale = 0.5\ncache = e\n"
      "[model]\ntype = mlp\nhidden = 14, 15\nl2 = 0.25\n"
      "[optimizer]\ntype = adam\ntables = bias:sgd, layer1.weights : mine/own\n"
      "learning_rate = 0.125\nschedule = inverse-sqrt\nwarmup_steps = 3\n"
      "decay_steps = 4\ndecay_factor = 0.25\nmin_rate = 0.0625\n"
      "staleness_scaling = inverse\nmomentum = 0.5\n"
      "beta1 = 0.75\nbeta2 = 0.875\nepsilon = 1e-3\nrho = 0.625\n"
      "weight_decay = 0.375\nftrl_beta = 2\nftrl_l1 = 3\nftrl_l2 = 4\n"
      "[mesh]\nservers = 3\nworkers = 1\ndata_servers = 0\n"
      "listen = [::1]:7700\n"
      "partitions = 16\nlane = tls\nlog_dir = f\nrestarts = 2\n"
      "restart_window = 9\n"
      "[checkpoint]\nfolder = g\ninterval = 10\nkeep = 4\nrate_mb_per_s = 0\n"
      "[emulation]\nlink_delay_ms = 17\nstep_time_ms = 18\nslow_workers = 0:2.5\n"
      "slow_part = 0.25\n",
      "job.ini");
  CAPTURE(to_string(job.diagnostics));
  REQUIRE(job);
  job_config expected;
  expected.job = {.name = "j",
                  .strategy = strategy::async,
                  .staleness = 21,
                  .delay = 22,
                  .epochs = 2,
                  .batch_size = 3,
                  .deterministic = false,
                  .overlap = false,
                  .threads = 1,
                  .svrg_epochs = 0,
                  .micro_batches = 8,
                  .seed = 18446744073709551615u,
                  .model_file = "",
                  .record = "logs/clock",
                  .steps = 7,
                  .request_timeout = std::chrono::seconds(9),
                  .replication = 1,
                  .wait = std::chrono::seconds(11)};
  expected.data = {.format = data_format::csv,
                   .served_by = data_service::partitioned,
                   .train = "a.csv",
                   .test = "b.csv",
                   .train_labels = "c",
                   .test_labels = "d",
                   .test_last = 0,
                   .test_fraction = 0,
                   .features = 11,
                   .classes = 12,
                   .label_column = -13,
                   .header = true,
                   .scale = 0.5,
                   .cache = "e"};
  expected.model = {.type = model_kind::mlp, .hidden = {14, 15}, .l2 = 0.25};
  expected.optimizer = {.type = "adam",
                        .tables = {{"bias", "sgd"}, {"layer1.weights", "mine/own"}},
                        .learning_rate = 0.125,
                        .schedule = rate_decay::inverse_sqrt,
                        .warmup_steps = 3,
                        .decay_steps = 4,
                        .decay_factor = 0.25,
                        .min_rate = 0.0625,
                        .staleness_scaling = staleness_scaling::inverse,
                        .momentum = 0.5,
                        .beta1 = 0.75,
                        .beta2 = 0.875,
                        .epsilon = 1e-3,
                        .rho = 0.625,
                        .weight_decay = 0.375,
                        .ftrl_beta = 2,
                        .ftrl_l1 = 3,
                        .ftrl_l2 = 4};
  expected.mesh = {.servers = 3,
                   .workers = 1,
                   .data_servers = 0,
                   .listen = {"::1", 7700},
                   .partitions = 16,
                   .lane = lane_kind::tls,
                   .log_dir = "f",
                   .restarts = 2,
                   .restart_window = std::chrono::seconds(9)};
  expected.checkpoint = {
      .folder = "g", .interval = std::chrono::seconds(10), .keep = 4, .rate_mb_per_s = 0};
  expected.emulation = {.link_delay = std::chrono::milliseconds(17),
                        .step_time = std::chrono::milliseconds(18),
                        .slow_workers = {{0, 2.5}},
                        .slow_part = 0.25};
  CHECK(*job.value == expected);
}

TEST_CASE("the sample of a job holds every option with its default") {
  const auto sample = sample_job();
  const auto untouched = parse_job(sample, "sample");
  const auto explicit_defaults = parse_job(uncommented(sample), "sample");
  const auto defaults = parse_job("", "empty");
  REQUIRE(untouched);
  CAPTURE(to_string(explicit_defaults.diagnostics));
  REQUIRE(explicit_defaults);
  REQUIRE(defaults);
  CHECK(*untouched.value == *defaults.value);
  CHECK(*explicit_defaults.value == *defaults.value);
  for (const auto& o : explicit_defaults.options) {
    CAPTURE(o.key);
    CHECK(o.from.from == origin::kind::file);
  }
}

TEST_CASE("the dump of a job is the wire form: it parses back to the same job") {
  const auto job = parse_job("[data]\nscale = 0.00392156862745098\n[model]\ntype = mlp\n"
                             "hidden = 256,128\n",
                             "job.ini");
  REQUIRE(job);
  CHECK(dump_job(*job.value) == dump_ini(job.options));
  const auto again = parse_job(dump_job(*job.value), "dump");
  REQUIRE(again);
  CHECK(*again.value == *job.value);
}

TEST_CASE("checkpoints by interval need a folder") {
  const auto job = parse_job("[checkpoint]\ninterval = 10\n", "job.ini");
  CHECK(to_string(job.diagnostics) ==
        "job.ini:2: error: checkpoint.interval: a checkpoint every 10 s needs checkpoint.folder to "
        "say where\n");
  CHECK(parse_job("[checkpoint]\ninterval = 10\nfolder = x\n", "job.ini"));
}

TEST_CASE("each limit of a job is held at both ends") {
  struct limit {
    std::string name, inside, outside;
  };
  for (const auto& l : {limit{"job.epochs", "1", "0"},
                        limit{"job.epochs", "100000", "100001"},
                        limit{"checkpoint.interval", "0", "604801"},
                        limit{"checkpoint.keep", "1", "0"},
                        limit{"checkpoint.rate_mb_per_s", "0", "1000001"},
                        limit{"job.batch_size", "1048576", "1048577"},
                        limit{"job.threads", "1", "0"},
                        limit{"job.svrg_epochs", "0", "1001"},
                        limit{"job.micro_batches", "1024", "2048"},
                        limit{"job.request_timeout", "1", "0"},
                        limit{"job.replication", "2", "3"},
                        limit{"job.replication", "1", "0"},
                        limit{"job.wait", "86400", "86401"},
                        limit{"data.test_fraction", "0.9", "0.91"},
                        limit{"data.scale", "1e-9", "0"},
                        limit{"model.l2", "0", "-1e-9"},
                        limit{"optimizer.learning_rate", "1e-9", "0"},
                        limit{"optimizer.momentum", "0", "1"},
                        limit{"optimizer.rho", "0", "1"},
                        limit{"optimizer.weight_decay", "0", "-1"},
                        limit{"optimizer.ftrl_beta", "1e-9", "0"},
                        limit{"optimizer.ftrl_l1", "0", "-1"},
                        limit{"optimizer.ftrl_l2", "0", "-1"},
                        limit{"optimizer.decay_steps", "1", "0"},
                        limit{"optimizer.decay_factor", "1", "1.1"},
                        limit{"optimizer.decay_factor", "1e-9", "0"},
                        limit{"optimizer.min_rate", "0", "-1"},
                        limit{"mesh.servers", "1024", "1025"},
                        limit{"mesh.servers", "1", "0"},
                        limit{"mesh.data_servers", "1024", "1025"},
                        limit{"data.label_column", "-1000000", "0"},
                        limit{"data.label_column", "1000000", "1000001"},
                        limit{"mesh.partitions", "65536", "65537"},
                        limit{"mesh.restarts", "0", "1001"},
                        limit{"mesh.restart_window", "1", "0"}}) {
    CAPTURE(l.name);
    CHECK(parse_job("", "job.ini", {{}, {l.name + '=' + l.inside}}));
    const auto refused = parse_job("", "job.ini", {{}, {l.name + '=' + l.outside}});
    REQUIRE(refused.diagnostics.size() == 1);
    CHECK(refused.diagnostics[0].text.starts_with(l.name + ": '" + l.outside + "' is not "));
  }
}

TEST_CASE("files of examples are required unless the format needs none") {
  CHECK(faults("[data]\nformat = libsvm\n") ==
        "job.ini: error: data.train: required with data.format = libsvm; name the file that holds "
        "the training examples\n");
  CHECK(faults("[data]\nformat = idx\ntrain = a\ntest = b\n") ==
        "job.ini: error: data.train_labels: required with data.format = idx; name the file that "
        "holds the labels of data.train\n"
        "job.ini: error: data.test_labels: required with data.format = idx and a data.test; name "
        "the file that holds the labels of data.test\n");
  CHECK(faults("[data]\nformat = idx\ntrain = a\ntrain_labels = c\n") == "");
}

TEST_CASE("two ways to choose the test set contradict each other") {
  CHECK(faults("[data]\ntest = a\ntest_last = 5\n") ==
        "job.ini:3: error: data.test_last: data.test names a test set already; keep one of the "
        "two\n");
  CHECK(faults("[data]\ntest = a\ntest_fraction = 0.5\n").starts_with("job.ini:3: error: "));
  CHECK(faults("[data]\ntest_last = 5\ntest_fraction = 0.5\n").starts_with("job.ini:3: error: "));
}

TEST_CASE("an mlp needs hidden layers") {
  CHECK(faults("[model]\ntype = mlp\n") ==
        "job.ini: error: model.hidden: required with model.type = mlp; give the widths of the "
        "hidden layers, as in 256,128\n");
}

TEST_CASE("more workers than examples in a step are refused") {
  CHECK(faults("[job]\nbatch_size = 3\n[mesh]\nworkers = 4\n") ==
        "job.ini:4: error: mesh.workers: 4 workers cannot share the 3 examples of a step; raise "
        "job.batch_size or start fewer workers\n");
  CHECK(faults("[job]\nbatch_size = 4\n[mesh]\nworkers = 4\n") == "");
}

TEST_CASE("a mesh may do without data servers only when the data is partitioned") {
  CHECK(faults("[mesh]\ndata_servers = 0\n") ==
        "job.ini:2: error: mesh.data_servers: nobody is left to hand out the examples; start at "
        "least 1, or set data.served_by = partitioned\n");
  CHECK(faults("[data]\nserved_by = partitioned\n[mesh]\ndata_servers = 0\n") == "");
  CHECK(faults("[data]\nserved_by = partitioned\n[mesh]\ndata_servers = 1\n") == "");
}

TEST_CASE("the coordinator of a local mesh listens at a loopback address") {
  CHECK(faults("[mesh]\nlisten = 0.0.0.0:7700\n") ==
        "job.ini:2: error: mesh.listen: 0.0.0.0:7700 is not a loopback address, and the nodes "
        "of gradmesh run do without TLS; listen on 127.0.0.1\n");
  CHECK(faults("[mesh]\nlisten =\n")
            .starts_with("job.ini:2: error: mesh.listen: '' is not HOST:PORT"));
  CHECK(faults("[mesh]\nlisten = localhost:7700\n") == "");
}

TEST_CASE("nonsense in what bounds a strategy is refused") {
  for (const std::string option : {"staleness", "delay", "backup_workers"})
    for (const std::string value : {"-1", "1000001", "many"}) {
      CAPTURE(option);
      CAPTURE(value);
      const auto found = faults("[job]\n" + option + " = " + value + "\n");
      CHECK(found.find("job.ini:2: error: job." + option + ": '" + value) == 0);
    }
}

TEST_CASE("backup workers need bsp and somebody whom they back up") {
  CHECK(faults("[job]\nbackup_workers = 1\nstrategy = ssp\n") ==
        "job.ini:2: error: job.backup_workers: needs job.strategy = bsp, but it is ssp\n");
  CHECK(faults("[job]\nbackup_workers = 2\n[mesh]\nworkers = 2\n") ==
        "job.ini:2: error: job.backup_workers: a step needs a worker that is no backup, but there "
        "are 2 workers (mesh.workers) and 2 backups among them\n");
  CHECK(faults("[job]\nbackup_workers = 1\ndeterministic = true\n") ==
        "job.ini:3: error: job.deterministic: cannot be with job.backup_workers = 1: which worker "
        "is last is chance\n");
}

TEST_CASE("lock-free threads need softmax regression, plain SGD, and no determinism") {
  CHECK(faults("[job]\nthreads = 2\n[optimizer]\ntype = sgd\n") == "");
  CHECK(faults("[job]\nthreads = 2\n") ==
        "job.ini:2: error: job.threads: 2 lock-free threads step by plain SGD, but optimizer.type "
        "is adagrad; set it to sgd, or job.threads = 1\n");
  CHECK(faults("[job]\nthreads = 2\n[optimizer]\ntype = sgd\n[model]\ntype = mlp\nhidden = 4\n") ==
        "job.ini:2: error: job.threads: 2 lock-free threads train softmax regression only, but "
        "model.type is mlp; set job.threads = 1\n");
  CHECK(faults("[job]\nthreads = 2\ndeterministic = true\n[optimizer]\ntype = sgd\n") ==
        "job.ini:3: error: job.deterministic: cannot be with job.threads = 2: which thread is "
        "first is chance\n");
  CHECK(faults("[job]\nthreads = 2\n[optimizer]\ntype = sgd\ntables = bias:adam\n") ==
        "job.ini:5: error: optimizer.tables: 2 lock-free threads step by plain SGD, but the rule "
        "of table bias is adam; drop it, or set job.threads = 1\n");
  CHECK(faults("[job]\nthreads = 2\n[optimizer]\ntype = sgd\nstaleness_scaling = inverse\n") ==
        "job.ini:5: error: optimizer.staleness_scaling: cannot be with job.threads = 2: the "
        "threads must know by which rate the servers will go; set it to none\n");
  CHECK(faults("[job]\nthreads = 2\nrecord = r\n[optimizer]\ntype = sgd\n") ==
        "job.ini:3: error: job.record: cannot be with job.threads = 2: which thread was first is "
        "not written down, so nobody could do the job again\n");
  CHECK(faults("[job]\nthreads = 257\n").find("job.ini:2: error: job.threads: '257'") == 0);
}

TEST_CASE("snapshots need bsp with all workers, plain SGD, dense data and an epoch to train in") {
  const std::string fit = "[data]\nformat = csv\ntrain = a\n[optimizer]\ntype = sgd\n";
  const auto with = [&](const std::string& job) { return faults("[job]\n" + job + fit); };
  const std::string one = "job.ini:2: error: job.svrg_epochs: ";
  CHECK(with("svrg_epochs = 1000\n") == "");
  CHECK(with("svrg_epochs = 2\nstrategy = async\n") ==
        one + "needs job.strategy = bsp, but it is async\n");
  CHECK(with("svrg_epochs = 2\nbackup_workers = 1\n") ==
        one + "cannot be with job.backup_workers = 1: a snapshot needs the gradients of all "
              "workers\n");
  CHECK(with("svrg_epochs = 2\nthreads = 2\n") ==
        one + "cannot be with job.threads = 2, which push no gradients; set one of the two to its "
              "default\n");
  CHECK(with("svrg_epochs = 2\nepochs = 1\n") ==
        one + "the only epoch (job.epochs = 1) would go into a snapshot, and nothing be trained; "
              "use at least 2\n");
  CHECK(faults("[job]\nsvrg_epochs = 2\n[optimizer]\ntype = sgd\n") ==
        one + "needs dense data (csv, tsv, idx): a snapshot's gradient changes every parameter in "
              "every step, but data.format is debian-packages\n");
  CHECK(faults("[job]\nsvrg_epochs = 2\n[data]\nformat = csv\ntrain = a\n[optimizer]\n"
               "type = adam\n") ==
        one + "SVRG steps by plain SGD, but optimizer.type is adam; set it to sgd, or "
              "job.svrg_epochs = 0\n");
}

TEST_CASE("a deterministic job needs bsp, full pieces and a piece for each worker") {
  CHECK(faults("[job]\ndeterministic = true\nstrategy = async\n") ==
        "job.ini:2: error: job.deterministic: needs job.strategy = bsp, but it is async\n");
  CHECK(faults("[job]\ndeterministic = true\nbatch_size = 3\n") ==
        "job.ini:3: error: job.batch_size: the 3 examples of a step cannot be cut into 4 micro "
        "batches; "
        "raise job.batch_size or lower job.micro_batches\n");
  CHECK(faults("[job]\ndeterministic = true\n[mesh]\nworkers = 5\n") ==
        "job.ini:4: error: mesh.workers: 5 workers cannot share the 4 micro batches of a "
        "deterministic step; raise job.micro_batches or start fewer workers\n");
  CHECK(faults("[job]\ndeterministic = true\nbatch_size = 4\n[mesh]\nworkers = 4\n") == "");
  CHECK(faults("[job]\nbatch_size = 3\nstrategy = async\n") == "");
}

TEST_CASE("a job file that is missing names its path and the reason") {
  const auto job = load_job("/nonexistent/job.ini");
  CHECK_FALSE(job);
  CHECK(to_string(job.diagnostics) ==
        "/nonexistent/job.ini: error: cannot open the file: No such file or directory\n");
}

TEST_CASE("slow workers are ranks that there are, each with a factor") {
  CHECK(faults("[mesh]\nworkers = 4\n[emulation]\nslow_workers = 3:5, 0:1\n") == "");
  CHECK(faults("[mesh]\nworkers = 4\n[emulation]\nslow_workers = 4:5\n") ==
        "job.ini:4: error: emulation.slow_workers: there is no worker of rank 4; the ranks of "
        "mesh.workers = 4 are 0..3\n");
  for (const std::string nonsense :
       {"3", "3:", ":5", "3:0.5", "3:nan", "3:5:1", "a:2", "-1:2", "1:2,1:3", "1:1001", "1:2,"}) {
    CAPTURE(nonsense);
    CHECK(faults("[mesh]\nworkers = 4\n[emulation]\nslow_workers = " + nonsense + "\n")
              .starts_with("job.ini:4: error: emulation.slow_workers: '" + nonsense +
                           "' is not a comma list of RANK:FACTOR, as in 3:5,0:2.5"));
  }
}

TEST_CASE("a misspelt update rule is refused with the one that was meant") {
  CHECK(faults("[optimizer]\ntype = adma\n") ==
        "job.ini:2: error: optimizer.type: 'adma' is not one of sgd, momentum, nesterov, adagrad, "
        "rmsprop, adam, adamw, ftrl, sgld, or OWNER/NAME of a rule that the servers' application "
        "brings\n");
  CHECK(faults("[optimizer]\ntype = momentun\n").ends_with("; did you mean 'momentum'?\n"));
  CHECK(faults("[optimizer]\ntables = bias:nestrov\n").ends_with("; did you mean 'nesterov'?\n"));
  CHECK(faults("[optimizer]\ntype =\n").find("'' is not one of sgd") != std::string::npos);
}

TEST_CASE("a rule of the servers' application is taken as it is written") {
  const auto job = parse_job("[optimizer]\ntype = acme/clipped\ntables = a:b:acme/x\n", "job.ini");
  REQUIRE(job);
  CHECK(job.value->optimizer.type == "acme/clipped");
  CHECK(job.value->optimizer.tables == std::vector<table_rule>{{"a:b", "acme/x"}});
  CHECK(*parse_job(dump_job(*job.value), "dump").value == *job.value);
}

TEST_CASE("a list of rules for tables that makes no sense is refused") {
  for (const std::string list :
       {"bias", "bias:sgd,bias:adam", ":sgd", "bias:", "bias:sgd,,w:adam"}) {
    CAPTURE(list);
    CHECK(faults("[optimizer]\ntables = " + list + "\n").starts_with("job.ini:2: error: "));
  }
}

TEST_CASE("schedules that contradict the job are refused") {
  CHECK(faults("[optimizer]\nlearning_rate = 0.1\nmin_rate = 0.2\n") ==
        "job.ini:3: error: optimizer.min_rate: 0.2 is above optimizer.learning_rate = 0.1, from "
        "which schedules fall; lower it\n");
  CHECK(faults("[job]\nsteps = 10\n[optimizer]\nwarmup_steps = 10\n") ==
        "job.ini:4: error: optimizer.warmup_steps: 10 steps of warm-up leave nothing of the 10 "
        "steps of the job (job.steps); use fewer\n");
  CHECK(faults("[job]\nsteps = 10\n[optimizer]\nwarmup_steps = 9\n") == "");
}
