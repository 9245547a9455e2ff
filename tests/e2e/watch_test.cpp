// watch: lines, JSON lines, and a view on a terminal.
#include <filesystem>

#include "support.hpp"

namespace e2e {
namespace {

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("watch: a line for each request and each change of a context, until the instance ends") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const bool json = GENERATE(false, true);
  const Context context = proxy.routed();
  const std::string path = proxy.home / "watched";
  Strings argv{"/bin/sh", "-c",         "exec \"$@\" > " + path, "sh",    binary(),
               "watch",   "--instance", proxy.instance,          "--ctx", context.id};
  if (json) argv.emplace_back("--json");
  Process watch;
  watch.start(argv, proxy.environment());
  // It listens once it shows something: the route is set anew until it does.
  const std::string route = R"({"route":{"morphId":"abc","scope":"base","domainSuffix":"cmux.test"}})";
  const auto watched = [&] { return std::filesystem::exists(path) ? read_file(path) : std::string(); };
  REQUIRE(eventually([&] {
    CHECK(proxy.api("PATCH", "/v1/contexts/" + context.id, route).status == 200);
    return contains(watched(), "\n");
  }));
  std::string line = watched();
  CHECK(contains(line, "context.rerouted"));
  CHECK(contains(line, context.id));
  CHECK(proxy.get(context, "http://localhost:3000/echo?secret").status == 200);
  REQUIRE(eventually([&] { return contains(watched(), "/echo") && watched().ends_with('\n'); }));
  line = watched();
  line.pop_back();
  line = line.substr(line.rfind('\n') + 1);
  CHECK(contains(line, "http://localhost:3000/echo"));
  CHECK_FALSE(contains(line, "secret"));
  if (json) {
    const auto event = boost::json::parse(line).as_object();
    CHECK(text_in(event, "event") == "request");
    CHECK(number_in(event, "status") == 200);
  } else {
    CHECK(contains(line, " 200 GET "));
    CHECK(contains(line, "-> https://cmux-abc-base-3000.cmux.test:443 (http/1.1, http/1.1)"));
  }
  CHECK(proxy.process().stop() == 0);
  CHECK(watch.wait() == 0);
  CHECK(contains(watch.stderr_text(), "has ended"));
}

TEST_CASE("watch: on a terminal a view that is drawn anew, and the screen as it was at ^C") {
  Workspace workspace;
  Proxy proxy({}, &workspace);
  const Context context =
      proxy.context({"--morph-id", "abc", "--scope", "base", "--domain-suffix", "cmux.test", "--label", "Ünïcode"});
  CHECK(proxy.get(context, "http://localhost:3000/").status == 200);
  const Run seen =
      run({"python3", source("tests/e2e/python/on_terminal.py"), context.id, binary(), "watch", "--instance", proxy.instance},
          proxy.environment());
  INFO(seen.out << seen.err);
  CHECK(seen.exit == 0);
  CHECK(contains(seen.out, "\x1b[?1049h"));
  CHECK(contains(seen.out, "CONTEXT"));
  CHECK(contains(seen.out, "Ünïcode"));
  CHECK(contains(seen.out, "1 contexts"));
  CHECK(seen.out.rfind("\x1b[?1049l") > seen.out.rfind("CONTEXT"));
}

TEST_CASE("watch: a context that is not there, or no instance") {
  Proxy proxy;
  CHECK(proxy.cli({"watch", "--ctx", "ctx-0-0123456789abcdef"}).exit == 4);
  CHECK(proxy.cli({"watch", "--ctx", "../x"}).exit == 4);
  CHECK(proxy.cli({"watch", "--ctx", ""}).exit == 2);
  CHECK(run({binary(), "watch", "--instance", "nobody"}, proxy.environment()).exit == 3);
  CHECK(run({binary(), "logs", "--instance", "nobody"}, proxy.environment()).exit == 3);
}

}  // namespace e2e
