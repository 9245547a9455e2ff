// service, and being started by whoever holds the sockets (socket activation).
#include <sys/stat.h>

#include <filesystem>

#include "schema.hpp"

namespace e2e {
namespace {

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// An instance that does not run until somebody connects.
struct Activated {
  TempDir home;
  Strings environment{"HOME=" + home.path, "CMUXPROXY_RUNTIME_DIR=" + (home / "run"), "CMUXPROXY_STATE_DIR=" + (home / "state")};
  std::string socket = home / "run/default.socket";
  Process process;
  std::uint16_t port = 0;

  explicit Activated(const Strings& kinds = {}) {
    std::filesystem::create_directory(home / "run");
    std::filesystem::permissions(home / "run", std::filesystem::perms::owner_all);
    Strings command{"python3", source("tests/e2e/python/activate.py")};
    if (!kinds.empty()) command.insert(command.end(), {"--kinds", fmt::format("{}", fmt::join(kinds, ","))});
    command.insert(command.end(), {socket, binary(), "serve", "--json"});
    process.start(command, environment);
    port = static_cast<std::uint16_t>(boost::json::parse(process.read_line()).at("port").as_int64());
  }
  Run cli(Strings arguments) const {
    arguments.insert(arguments.begin(), binary());
    return run(arguments, environment);
  }
};

}  // namespace

TEST_CASE("activation: the first client's request starts the instance, and is answered") {
  Activated service;
  Client client(service.port);
  const Response answer = client.ask("GET http://localhost:3000/ HTTP/1.1\r\nHost: localhost:3000\r\n\r\n");
  CHECK(answer.status == 407);
  const auto ready = boost::json::parse(service.process.read_line()).as_object();
  CHECK(ready.at("port").to_number<int>() == service.port);
  CHECK(text_in(ready, "admin") == "unix:" + service.socket);
  CHECK(service.process.stop() == 0);
  // It is its holder's, who goes on listening.
  CHECK(std::filesystem::exists(service.socket));
}

TEST_CASE("activation: the first command starts it; stop and status do not") {
  Activated service;
  CHECK(service.cli({"status"}).exit == 3);
  CHECK(service.cli({"stop"}).exit == 3);
  const Run made = service.cli({"ctx", "create", "--json"});
  INFO(made.err);
  REQUIRE(made.exit == 0);
  CHECK(made.json().at("proxy").as_string() == fmt::format("127.0.0.1:{}", service.port));
  CHECK(service.cli({"ctx", "list"}).exit == 0);
  CHECK(service.cli({"stop"}).exit == 0);
  CHECK(service.process.wait() == 0);
}

TEST_CASE("activation: what is handed over and does not fit is an error that says so") {
  struct Row {
    Strings kinds;
    std::string said;
  };
  for (const Row& row : {Row{{"udp"}, "is no TCP or Unix stream socket that listens"},
                         Row{{"bound"}, "is no TCP or Unix stream socket that listens"},
                         Row{{"tcp", "packets"}, "is no TCP or Unix stream socket that listens"},
                         Row{{"tcp", "abstract"}, "descriptor 4, which was handed over, is a Unix socket without a path"},
                         Row{{"tcp", "tcp"}, "two sockets of one kind"}, Row{{"tcp", "unix", "tcp"}, "3 sockets"}}) {
    Activated service(row.kinds);
    CHECK(service.process.wait() == 1);
    CHECK(has(service.process.stderr_text(), row.said));
  }
  // Meant for another process: none of our business.
  const TempDir home;
  const Strings environment{"HOME=" + home.path, "CMUXPROXY_RUNTIME_DIR=" + (home / "run"), "LISTEN_PID=1", "LISTEN_FDS=7"};
  Process process;
  process.start({binary(), "serve", "--json", "--listen", "127.0.0.1:0"}, environment);
  CHECK(has(process.read_line(), "\"ready\""));
  CHECK(process.stop() == 0);
}

TEST_CASE("service: installs this user's units, tells systemd, and takes both back") {
  const TempDir home;
  const std::string units = home / ".config/systemd/user", log = home / "said";
  std::filesystem::create_directory(home / "bin");
  write_file(home / "bin/systemctl", "#!/bin/sh\necho \"$*\" >> " + log + "\nexit ${SYSTEMCTL_EXIT:-0}\n");
  std::filesystem::permissions(home / "bin/systemctl", std::filesystem::perms::owner_all);
  const Strings environment{"HOME=" + home.path, "XDG_CONFIG_HOME=", "PATH=" + (home / "bin") + ":" + std::getenv("PATH")};
  const auto service = [&](const Strings& arguments, const Strings& more = {}) {
    Strings command{binary(), "service"}, all = environment;
    command.insert(command.end(), arguments.begin(), arguments.end());
    all.insert(all.end(), more.begin(), more.end());
    return run(command, all);
  };
  const Run printed = service({"install", "--print"});
  CHECK(printed.exit == 0);
  CHECK(has(printed.out, "ListenStream=127.0.0.1:39385"));
  CHECK_FALSE(std::filesystem::exists(units));

  CHECK(service({"uninstall"}).exit == 0);  // nothing there: no error
  CHECK(service({"install"}).exit == 0);
  const Run twice = service({"install", "--json"});
  CHECK(twice.exit == 0);
  fits("cli.schema.yaml#/service-install", twice.out);
  CHECK(has(read_file(units + "/cmuxproxy.service"), "ExecStart=" + binary() + " serve"));
  CHECK(has(read_file(units + "/cmuxproxy.socket"), "/cmuxproxy/default.socket"));
  CHECK(has(read_file(log), "--user enable --now cmuxproxy.socket"));
  const Run removed = service({"uninstall", "--json"});
  fits("cli.schema.yaml#/service-uninstall", removed.out);
  CHECK(removed.json().at("removed").as_array().size() == 2);
  CHECK(has(read_file(log), "--user disable --now cmuxproxy.socket cmuxproxy.service"));
  CHECK(std::filesystem::is_empty(units));

  const Run refused = service({"install"}, {"SYSTEMCTL_EXIT=1"});
  CHECK(refused.exit == 1);
  CHECK(has(refused.err, "systemctl --user enable --now"));
  CHECK(service({"install"}, {"HOME="}).exit == 1);
}

}  // namespace e2e
