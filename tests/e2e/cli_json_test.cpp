// What commands print for programs, against docs/cli.schema.yaml and docs/openapi.yaml.
#include <algorithm>
#include <filesystem>
#include <map>
#include <sstream>

#include "gateway.hpp"
#include "rows.hpp"
#include "schema.hpp"

namespace e2e {

TEST_CASE("cli: every command that has --json has a schema in docs/") {
  const std::string schemas = read_file(source("docs/cli.schema.yaml"));
  std::istringstream page(read_file(source("docs/cli.md")));
  std::string name;
  std::size_t seen = 0;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("## cmuxproxy ")) name = line.substr(std::string("## cmuxproxy ").size());
    std::replace(name.begin(), name.end(), ' ', '-');
    if (!line.starts_with("  --json ")) continue;
    ++seen;
    INFO(name);
    CHECK((schemas.find("\n" + name + ":") != std::string::npos || schemas.find("\n" + name + "-lines:") != std::string::npos));
  }
  CHECK(seen > 20);
}

TEST_CASE("cli: what --json prints fits its schema in docs/") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const auto check = [&](const std::string& schema, const Strings& command, int exit = 0) {
    Strings argv = command;
    argv.emplace_back("--json");
    const Run said = proxy.cli(argv);
    INFO(schema << ": " << said.err);
    CHECK(said.exit == exit);
    fits("cli.schema.yaml#/" + schema, said.out);
  };
  fits("cli.schema.yaml#/serve", boost::json::serialize(proxy.ready));
  fits("cli.schema.yaml#/serve-check", run({binary(), "serve", "--check", "--json"}, proxy.environment()).out);
  const Strings route{"--morph-id", "abc", "--scope", "base", "--domain-suffix", "cmux.test", "--header", "X-Token: x"};
  Strings create{"ctx", "create", "--dedicated-port", "--forward", "5432:0", "--ttl", "1h", "--label", "x"};
  create.insert(create.end(), route.begin(), route.end());
  check("ctx-create", create);
  check("ctx-create", {"ctx", "create"});
  const Context context = proxy.routed();
  CHECK(proxy.get(context, "http://localhost:3000/").status == 200);
  check("ctx-list", {"ctx", "list"});
  check("ctx-show", {"ctx", "show", context.id});
  Strings update{"ctx", "update", context.id};
  update.insert(update.end(), route.begin(), route.end());
  check("ctx-update", update);
  check("status", {"status"});
  check("probe", {"probe", "http://localhost:3000/", "--ctx", context.id, "--count", "2"});
  check("probe", {"probe", "ws://localhost:3000/ws", "--ctx", context.id});
  check("probe", {"probe", "http://127.0.0.1:1/"}, 5);
  check("probe-check", {"probe"});
  fits("cli.schema.yaml#/logs-lines", proxy.cli({"logs", "--json"}).out);
  check("ctx-release", {"ctx", "release", context.id, "ctx-0-0123456789abcdef"}, 4);
  for (const char* const part : {"path", "pem", "spki", "bundle", "install-hint"})
    fits(fmt::format("cli.schema.yaml#/ca-{}", part), run({binary(), "ca", part, "--json"}, proxy.environment()).out);
  fits("cli.schema.yaml#/version", run({binary(), "version", "--json"}).out);
  check("stop", {"stop"});
}

TEST_CASE("cli: what gateway prints with --json fits its schema in docs/") {
  const Gateway machine({"machine"});
  fits("cli.schema.yaml#/gateway-machine", boost::json::serialize(machine.ready));
  fits("cli.schema.yaml#/serve-check", machine.cli({"gateway", "machine", "--check", "--json"}).out);
  const std::string keys = machine.home / "keys.json";
  CHECK(run({binary(), "gateway", "key", "make", keys}).exit == 0);
  CHECK(run({binary(), "gateway", "key", "rotate", keys}).exit == 0);
  fits("cli.schema.yaml#/gateway-key-list", run({binary(), "gateway", "key", "list", keys, "--json"}).out);
  fits("cli.schema.yaml#/gateway-token", run({binary(), "gateway", "token", "--keys", keys, "--id", "abc", "--json"}).out);
}

TEST_CASE("events: what comes fits its schema in docs/openapi.yaml") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  Process watch;
  const std::string path = proxy.home / "watched";
  watch.start({"/bin/sh", "-c", "exec \"$@\" > " + path, "sh", binary(), "watch", "--json", "--instance", proxy.instance},
              proxy.environment());
  const auto watched = [&] { return std::filesystem::exists(path) ? read_file(path) : std::string(); };
  REQUIRE(eventually([&] {
    CHECK(proxy.api("POST", "/v1/contexts", "{}").status == 201);
    return !watched().empty();
  }));
  const Context context =
      proxy.context({"--morph-id", "abc", "--scope", "base", "--domain-suffix", "cmux.test", "--forward", "5432:0"});
  CHECK(proxy.get(context, "http://localhost:3000/").status == 200);
  CHECK(proxy.connect().ask("nonsense\r\n\r\n").status == 400);
  {
    Client raw(static_cast<std::uint16_t>(number_in(context.json.at("forwards").as_array().at(0).as_object(), "local")));
    raw.send(std::string("\0\0\0\1", 4));
    CHECK(raw.closed_by_peer());
  }
  proxy.cli({"ctx", "update", context.id, "--no-route"});
  proxy.cli({"ctx", "release", context.id});
  std::map<std::string, std::string> schemas{{"request", "RequestEvent"},
                                             {"context.created", "ContextEvent"},
                                             {"context.released", "ContextEvent"},
                                             {"context.rerouted", "ContextEvent"},
                                             {"context.tunnel-failed", "TunnelFailureEvent"}};
  REQUIRE(eventually([&] { return watched().find("context.released") != std::string::npos && watched().ends_with('\n'); }));
  std::map<std::string, std::string> lines;
  std::istringstream all(watched());
  for (std::string line; std::getline(all, line);) {
    auto event = boost::json::parse(line).as_object();
    const std::string type = text_in(event, "event");
    event.erase("event");
    lines[type] += boost::json::serialize(event) + "\n";
  }
  CHECK(lines.size() == schemas.size());
  fits("cli.schema.yaml#/watch-lines", watched());
  for (const auto& [type, text] : lines) fits("openapi.yaml#/components/schemas/" + schemas.at(type), text);
}

}  // namespace e2e
