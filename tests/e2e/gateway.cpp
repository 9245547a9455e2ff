#include "gateway.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>

namespace e2e {

namespace json = boost::json;

Gateway::Gateway(Strings role, const Strings& flags) {
  static std::atomic<int> number{0};
  instance_ = fmt::format("gateway-{}-{}", getpid(), ++number);
  environment_ = {"CMUXPROXY_RUNTIME_DIR=" + home / "runtime", "CMUXPROXY_STATE_DIR=" + home / "state", "HOME=" + home.path,
                  "XDG_CONFIG_HOME=" + home / "config"};
  Strings argv{binary(), "gateway"};
  argv.insert(argv.end(), role.begin(), role.end());
  argv.insert(argv.end(), {"--json", "--instance", instance_});
  const auto given = [&](std::string_view flag) { return std::find(flags.begin(), flags.end(), flag) != flags.end(); };
  if (!given("--listen")) argv.insert(argv.end(), {"--listen", "127.0.0.1:0"});
  if (const char* const threads = std::getenv("CMUX_E2E_THREADS"); threads && !given("--threads"))
    argv.insert(argv.end(), {"--threads", threads});
  argv.insert(argv.end(), flags.begin(), flags.end());
  process_.start(argv, environment_);
  json::error_code failed;
  const json::value line = json::parse(process_.read_line(), failed);
  if (failed || !line.is_object()) FAIL("the gateway is not ready:\n" << process_.stderr_text());
  ready = line.as_object();
  port_ = static_cast<std::uint16_t>(number_in(ready, "port"));
}

Gateway::~Gateway() {
  if (!process_.running()) return;  // the test has stopped it
  int code = 0;
  try {
    code = process_.stop(SIGTERM, 20s);
  } catch (...) {
    code = -1;  // FAIL has told already
  }
  if (code != 0) UNSCOPED_INFO("stderr of the gateway:\n" << process_.stderr_text());
  CHECK(code == 0);
}

Run Gateway::cli(Strings args) const {
  args.insert(args.begin(), binary());
  args.insert(args.end(), {"--instance", instance_});
  return run(args, environment_);
}

bool Gateway::logs(std::string_view text, milliseconds limit) const {
  return eventually([&] { return process_.stderr_text().find(text) != std::string::npos; }, limit);
}

}  // namespace e2e
