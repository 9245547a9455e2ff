// probe: what it shows of a request's way, and what it says where there is none.
#include "support.hpp"

namespace e2e {
namespace {

const std::string kUrl = "http://localhost:3000/";

boost::json::object document(const Run& run) {
  INFO(run.out << run.err);
  REQUIRE(run.out.ends_with("\n"));
  CHECK(std::count(run.out.begin(), run.out.end(), '\n') == 1);
  CHECK(run.err.empty());
  return run.json().as_object();
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

struct Setup {
  Workspace workspace;
  Proxy proxy{{"--threads", "1"}, &workspace};
  Run probe(Strings arguments) const {
    for (const char* const word : {"probe", "--morph-id", "abc", "--scope", "base", "--domain-suffix", "cmux.test"})
      arguments.emplace_back(word);
    std::rotate(arguments.begin(), arguments.end() - 7, arguments.end());
    return proxy.cli(arguments);
  }
  std::size_t contexts() const { return proxy.cli({"ctx", "list", "--json"}).json().at("contexts").as_array().size(); }
};

}  // namespace

TEST_CASE("probe: shows status, destination, protocols, reuse and times") {
  Setup setup;
  const Run run = setup.probe({kUrl, "--json", "--count", "3"});
  CHECK(run.exit == 0);
  const auto all = document(run);
  CHECK(all.at("ok") == true);
  CHECK(text_in(all, "url") == kUrl);
  const auto& requests = all.at("requests").as_array();
  REQUIRE(requests.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto& request = requests[i].as_object();
    INFO(boost::json::serialize(request));
    CHECK(number_in(request, "status") == 200);
    CHECK(text_in(request, "destination") == "https://cmux-abc-base-3000.cmux.test:443");
    CHECK(text_in(request, "downstream") == "http/1.1");
    CHECK(text_in(request, "upstream") == "http/1.1");
    CHECK(request.at("reused") == (i > 0));
    CHECK(request.at("proxyConnectionReused") == (i > 0));
    CHECK(number_in(request, "bytes") == 35);
    const auto& timing = request.at("timing").as_object();
    for (const char* const key : {"proxyConnect", "dns", "connect", "tls", "firstByte", "total"})
      CHECK(number_in(timing, key) >= 0);
    CHECK(number_in(timing, "total") >= number_in(timing, "firstByte"));
    if (i == 0) CHECK(number_in(timing, "tls") > 0);
  }
  CHECK(setup.contexts() == 0);  // the throw-away one is gone

  const Run text = setup.probe({kUrl, "--count", "2"});
  CHECK(text.exit == 0);
  for (const char* const part :
       {"200", "https://cmux-abc-base-3000.cmux.test:443", "DNS", "TLS", "first byte", "total", "2 requests"}) {
    INFO(part);
    CHECK(has(text.out, part));
  }
}

TEST_CASE("probe: through SOCKS5, with credentials and on a port that asks for none") {
  Setup setup;
  const auto status = [](const Run& run) { return document(run).at("requests").at(0).at("status"); };
  CHECK(status(setup.probe({kUrl, "--socks", "--json"})) == 200);
  CHECK(status(setup.probe({"https://localhost:3443/", "--socks", "--json"})) == 200);
  CHECK(setup.probe({"ws://localhost:3000/ws", "--socks"}).exit == 0);
  const Context own = setup.proxy.context({"--dedicated-port", "--template", "http://127.0.0.1:{port}"});
  const Run loop =
      setup.proxy.cli({"probe", fmt::format("http://localhost:{}/", setup.proxy.port()), "--ctx", own.id, "--socks"});
  CHECK(loop.exit == 5);
  CHECK(has(loop.out, "SOCKS reply 2: not allowed"));
  CHECK(setup.probe({kUrl, "--socks", "--connect"}).exit == 2);
  CHECK(setup.proxy.cli({"probe", "--socks"}).exit == 2);
}

TEST_CASE("probe: methods, fields, an own context, CONNECT and WebSockets") {
  Setup setup;
  CHECK(setup.probe({"http://localhost:3000/echo", "-X", "POST", "-H", "X-Mine: 1"}).exit == 0);
  const Context context = setup.proxy.routed();
  const auto own = document(setup.proxy.cli({"probe", kUrl, "--ctx", context.id, "--json"}));
  CHECK(text_in(own, "context") == context.id);
  CHECK(setup.contexts() == 1);
  CHECK(setup.proxy.cli({"probe", kUrl, "--ctx", "ctx-0-0123456789abcdef"}).exit == 4);
  CHECK(setup.probe({kUrl, "--ctx", context.id}).exit == 2);

  const auto inside = document(setup.probe({"https://localhost:3443/", "--connect", "--json"}));
  CHECK(inside.at("requests").at(0).at("status") == 200);
  const auto connect = document(setup.probe({kUrl, "--connect", "--json"}));
  CHECK(connect.at("ok") == true);
  CHECK(connect.at("requests").at(0).at("status") == 200);
  for (const Strings& arguments : {Strings{"http://localhost:3000/ws", "--ws", "--json"},
                                   Strings{"ws://localhost:3000/ws", "--json"}, Strings{"wss://localhost:3443/ws", "--json"}}) {
    const auto socket = document(setup.probe(arguments));
    INFO(boost::json::serialize(socket));
    CHECK(socket.at("ok") == true);
    CHECK(socket.at("requests").at(0).at("status") == 101);
    CHECK(socket.at("requests").at(0).at("echoed") == true);
  }
  const Run refused = setup.probe({"ws://localhost:3000/ws-refuse"});
  CHECK(refused.exit == 5);
  CHECK(has(refused.out, "403"));
}

TEST_CASE("probe: interim responses, HEAD, and a CONNECT that is refused") {
  Setup setup;
  const auto interim = document(setup.probe({"http://localhost:3000/1xx?count=2", "--json"}));
  CHECK(interim.at("requests").at(0).at("status") == 200);

  const auto all = document(setup.probe({"http://localhost:3000/bytes/1000", "-X", "HEAD", "--count", "2", "--json"}));
  const auto& second = all.at("requests").at(1).as_object();
  CHECK(second.at("status") == 200);
  CHECK(second.at("bytes") == 0);
  CHECK(second.at("proxyConnectionReused") == true);

  const Run refused = setup.probe({"http://does-not-exist.invalid/", "--connect", "--json"});
  CHECK(refused.exit == 5);
  CHECK(text_in(document(refused).at("requests").at(0).as_object(), "error") == "dns_error");
  CHECK(setup.contexts() == 0);
}

TEST_CASE("probe: an answer of the workspace is an answer, whatever its status") {
  Setup setup;
  CHECK(setup.probe({"http://localhost:3000/status/500"}).exit == 0);
}

TEST_CASE("probe: of what a workspace calls its error only the name is shown") {
  Setup setup;
  const Run run = setup.probe({kUrl + "headers?h=Proxy-Status:cmuxproxy;%20error=dns_error%C2%9B31m&status=502"});
  INFO(run.out);
  CHECK(has(run.out, "  error      dns_error\n"));
  CHECK_FALSE(has(run.out, "\xc2\x9b"));
}

TEST_CASE("probe: what fails is exit 5, with a hint") {
  Setup setup;
  setup.workspace.process().stop();
  const Run json = setup.probe({kUrl, "--json"});
  CHECK(json.exit == 5);
  const auto all = document(json);
  CHECK(all.at("ok") == false);
  const auto& request = all.at("requests").at(0).as_object();
  CHECK(text_in(request, "error") == "connection_refused");
  CHECK(has(text_in(request, "detail"), "cmux-abc-base-3000.cmux.test"));
  CHECK_FALSE(text_in(request, "hint").empty());
  const Run text = setup.probe({kUrl});
  CHECK(text.exit == 5);
  CHECK(has(text.out, "connection_refused"));
  CHECK(has(text.out, "try "));

  const Run nowhere = setup.proxy.cli({"probe", "http://does-not-exist.invalid/", "--json"});
  CHECK(nowhere.exit == 5);
  CHECK(text_in(document(nowhere).at("requests").at(0).as_object(), "error") == "dns_error");
  CHECK(setup.contexts() == 0);
}

TEST_CASE("probe: without a URL it checks the instance") {
  Setup setup;
  const Run json = setup.proxy.cli({"probe", "--json"});
  CHECK(json.exit == 0);
  const auto all = document(json);
  CHECK(all.at("ok") == true);
  for (const auto& check : all.at("checks").as_array()) {
    INFO(boost::json::serialize(check));
    CHECK(check.at("verdict") == "ok");
  }
  Strings argv{binary(), "probe", "--instance", setup.proxy.instance};
  Strings environment = setup.proxy.environment();
  environment.emplace_back("NO_PROXY=example.org,localhost");
  const Run warned = run(argv, environment);
  CHECK(warned.exit == 0);
  CHECK(has(warned.out, "warning"));
  CHECK(has(warned.out, "NO_PROXY"));
}

}  // namespace e2e
