// The proxy and the fixtures, running.
#include "harness.hpp"

#include <fmt/format.h>

#include <unistd.h>
#include <atomic>
#include <cstdlib>
#include <filesystem>

namespace e2e {
namespace {

namespace json = boost::json;

json::object ready_line(Process& process) {
  const std::string line = process.read_line();
  json::error_code failed;
  const json::value value = json::parse(line, failed);
  if (failed || !value.is_object()) FAIL("not ready: '" << line << "', on stderr:\n" << process.stderr_text());
  return value.as_object();
}

std::uint16_t port_in(const json::object& object, const char* key) {
  const json::value* const value = object.if_contains(key);
  if (!value || !value->is_number()) FAIL("no " << key << " in " << json::serialize(object));
  return static_cast<std::uint16_t>(value->to_number<int>());
}

std::string text_in(const json::object& object, const char* key) {
  const json::value* const value = object.if_contains(key);
  if (!value || !value->is_string()) FAIL("no " << key << " in " << json::serialize(object));
  return std::string(value->as_string().data(), value->as_string().size());
}

}  // namespace

Workspace::Workspace(const Strings& options, std::string_view cert) {
  const std::string path = cert.find('/') == std::string_view::npos ? fmt::format("{}/{}", pki(), cert) : std::string(cert);
  Strings argv{fixture("fake-workspace"), "--http", "0", "--https", "0", "--cert", path + ".crt", "--key", path + ".key",
               "--exit-with-stdin"};
  argv.insert(argv.end(), options.begin(), options.end());
  process_.start(argv, {}, Process::Stdin::pipe);
  const json::object ready = ready_line(process_);
  http_ = port_in(ready, "http");
  https_ = port_in(ready, "https");
}

json::object Workspace::get(std::string_view path) const {
  const Response response = ask(http_, "GET", path, {"Host: test", "Connection: close"});
  ++own_requests_;
  if (response.status != 200) FAIL("the workspace's " << path << ":\n" << response.head << response.body);
  return response.json();
}

std::int64_t Workspace::requests() const {
  const json::object counters = get("/connections");
  return counters.at("requests").to_number<std::int64_t>() - own_requests_;
}

std::int64_t Workspace::malformed() const { return get("/connections").at("malformed").to_number<std::int64_t>(); }

PortServer::PortServer(std::string_view program, const Strings& options) {
  Strings argv{fixture(program), "--exit-with-stdin"};
  argv.insert(argv.end(), options.begin(), options.end());
  process_.start(argv, {}, Process::Stdin::pipe);
  port_ = port_in(ready_line(process_), "port");
}

std::string Context::auth_line() const {
  return fmt::format("Proxy-Authorization: Basic {}\r\n", base64(username + ":" + password));
}

Proxy::Proxy(const Strings& extra, const Workspace* workspace, int error) {
  static std::atomic<int> number{0};
  instance = fmt::format("e2e-{}-{}", getpid(), ++number);
  environment_ = {"CMUXPROXY_RUNTIME_DIR=" + home / "runtime", "CMUXPROXY_STATE_DIR=" + home / "state", "HOME=" + home.path,
                  "XDG_CONFIG_HOME=" + home / "config"};
  Strings argv{binary(), "serve", "--json"};
  argv.insert(argv.end(), extra.begin(), extra.end());
  const auto given = [&](std::string_view flag) {
    for (const std::string& each : extra)
      if (each == flag || each.starts_with(std::string(flag) + "=")) return true;
    return false;
  };
  const auto add = [&](const std::string& flag, const std::string& value) {
    if (!given(flag)) argv.insert(argv.end(), {flag, value});
  };
  add("--listen", "127.0.0.1:0");
  add("--admin", "127.0.0.1:0");
  add("--instance", instance);
  if (geteuid() != 0 && !given("--dumpable")) argv.emplace_back("--dumpable");  // fds() and the like are root's to see otherwise
  if (const char* const threads = std::getenv("CMUX_E2E_THREADS")) add("--threads", threads);
  if (workspace) {
    for (const char* const pattern : {"*.cmux.test", "*.http.cloud.morph.test"})
      argv.insert(argv.end(), {"--resolve", fmt::format("{}=127.0.0.1:{}", pattern, workspace->https_port())});
    add("--upstream-ca", pki() + "/ca.crt");
  }
  process_.start(argv, environment_, Process::Stdin::none, error);
  ready = ready_line(process_);
  instance = text_in(ready, "instance");
  port_ = port_in(ready, "port");
  admin = text_in(ready, "admin");
  if (const std::size_t colon = admin.rfind(':'); admin.starts_with("http"))
    admin_port_ = static_cast<std::uint16_t>(std::stoi(admin.substr(colon + 1)));
  json::error_code failed;
  const json::value record = json::parse(read_file(instance_path()), failed);
  if (failed || !record.is_object()) FAIL("no JSON in " << instance_path());
  token = text_in(record.as_object(), "token");
}

Proxy::~Proxy() {
  if (!process_.running()) return;  // the test has stopped it, and looked at how it ended
  int code = 0;
  try {
    code = process_.stop(SIGTERM, 20s);
  } catch (...) {
    code = -1;  // FAIL has told already
  }
  if (code != 0) UNSCOPED_INFO("stderr of the proxy:\n" << process_.stderr_text());
  CHECK(code == 0);
}

std::string Proxy::instance_path() const { return fmt::format("{}/runtime/{}.json", home.path, instance); }

Run Proxy::cli(Strings args, std::string_view input) const {
  args.insert(args.begin(), binary());
  // Before a "--", after which everything is a command's.
  args.insert(std::find(args.begin(), args.end(), "--"), {"--instance", instance});
  return run(args, environment_, input);
}

Context Proxy::context(const Strings& route_flags) const {
  Strings args{"ctx", "create", "--json"};
  args.insert(args.end(), route_flags.begin(), route_flags.end());
  const Run made = cli(args);
  if (made.exit != 0) FAIL("ctx create: exit " << made.exit << ", " << made.err);
  Context context;
  context.json = made.json().as_object();
  context.id = text_in(context.json, "id");
  context.username = text_in(context.json, "username");
  context.password = text_in(context.json, "password");
  context.proxy_url = text_in(context.json, "proxyUrl");
  return context;
}

Response Proxy::get(const Context& context, std::string_view url, std::string_view fields) const {
  std::string_view host = url.substr(url.find("://") + 3);
  host = host.substr(0, host.find_first_of("/?"));
  Client client = connect();
  return client.ask(fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\n{}{}\r\n", url, host, context.auth_line(), fields));
}

Response Proxy::api(std::string_view method, std::string_view path, std::string_view body, const Strings& headers,
                    bool with_token) const {
  Strings fields{fmt::format("Host: 127.0.0.1:{}", admin_port_)};
  if (with_token) fields.push_back("Authorization: Bearer " + token);
  if (!body.empty()) fields.emplace_back("Content-Type: application/json");
  fields.insert(fields.end(), headers.begin(), headers.end());
  return ask(admin_port_, method, path, fields, body);
}

}  // namespace e2e
