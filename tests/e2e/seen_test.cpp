// What an instance tells of its traffic: access log, metrics, counters of contexts, its log by the admin API.
#include <map>

#include "rows.hpp"
#include "support.hpp"

namespace e2e {
namespace {

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// The access log's line that has all of these; waits for it.
std::string access_line(Proxy& proxy, const Strings& parts) {
  std::string found;
  const bool came = eventually([&] {
    const std::string log = proxy.process().stderr_text();
    for (std::size_t at = 0; at < log.size();) {
      const std::size_t end = std::min(log.find('\n', at), log.size());
      const std::string line = log.substr(at, end - at);
      at = end + 1;
      if (!contains(line, " access ")) continue;
      if (std::all_of(parts.begin(), parts.end(), [&](const std::string& part) { return contains(line, part); })) found = line;
    }
    return !found.empty();
  });
  if (!came) FAIL("no line with " << fmt::format("{}", fmt::join(parts, " … ")) << " in\n" << proxy.process().stderr_text());
  return found;
}

// A sample of /metrics; it is there whatever its value.
double sample(const Proxy& proxy, const std::string& name) {
  const std::string text = proxy.api("GET", "/metrics").body;
  const std::size_t at = text.find("\n" + name + " ");
  if (at == std::string::npos) return 0;
  return std::atof(text.c_str() + at + name.size() + 2);
}

}  // namespace

TEST_CASE("access log: a line for each request, refusal and tunnel, without anything secret, whatever the level is") {
  Workspace workspace;
  Proxy proxy({"--access-log", "--log-level", "error"}, &workspace);
  const Context context = proxy.context(
      {"--morph-id", "abc", "--scope", "base", "--domain-suffix", "cmux.test", "--header", "X-Token: route-secret"});
  Client client = proxy.connect();
  const std::string fields = "Authorization: Bearer header-secret\r\nCookie: a=cookie-secret\r\n";
  CHECK(client.ask(request_text("POST", "http://localhost:3000/echo?code=query-secret", context, fields, "12345")).status == 200);
  const std::string line = access_line(proxy, {"POST http://localhost:3000/echo 200"});
  for (const std::string& part :
       {std::string(" info "), "context=" + context.id, std::string("to=https://cmux-abc-base-3000.cmux.test:443"),
        std::string("protocols=http/1.1,http/1.1"), std::string("sent=5"), std::string("first-byte=")})
    CHECK(contains(line, part));
  CHECK(client.ask(request_text("GET", "http://localhost:3000/", context)).status == 200);
  CHECK(contains(access_line(proxy, {"GET http://localhost:3000/ 200"}), "reused"));

  CHECK(proxy.connect().ask("GET http://user:url-secret@localhost:3000/x HTTP/1.1\r\nHost: localhost:3000\r\n\r\n").status ==
        407);
  access_line(proxy, {"407 context=-", "error=http_request_denied"});
  proxy.connect().ask("nonsense\r\n\r\n");
  access_line(proxy, {"access - - 400", "error=http_request_error"});
  const Context plain = proxy.context();
  {
    RawServer raw;
    Client through = tunnel(proxy, plain, fmt::format("127.0.0.1:{}", raw.port()));
    through.send("12345678");
    const std::string said = through.read_some();
    through.half_close();
    through.read_all_until_close();
    const std::string ended = access_line(proxy, {fmt::format("CONNECT 127.0.0.1:{} 200", raw.port())});
    CHECK(contains(ended, fmt::format("to=tcp://127.0.0.1:{}", raw.port())));
    CHECK(contains(ended, "protocols=http/1.1,tcp"));
    CHECK(contains(ended, "sent=8"));
    CHECK(contains(ended, " tunnel"));
    CHECK_FALSE(contains(ended, "error="));
  }
  CHECK(proxy.process().stop() == 0);
  const std::string log = proxy.process().stderr_text();
  for (const char* const secret : {"query-secret", "header-secret", "cookie-secret", "route-secret", "url-secret"})
    CHECK_FALSE(contains(log, secret));
  CHECK_FALSE(contains(log, context.password));
  CHECK_FALSE(contains(log, "stopping"));  // which is below the level
}

TEST_CASE("access log: raw bytes on a forwarded port are told of at their end") {
  Workspace workspace;
  Proxy proxy({"--access-log"});
  const Context context =
      proxy.context({"--forward", "22:0", "--cmux-proxy-origin", fmt::format("http://127.0.0.1:{}", workspace.http_port())});
  {
    Client client(static_cast<std::uint16_t>(number_in(context.json.at("forwards").as_array().at(0).as_object(), "local")));
    client.send("SSH-2.0-x\r\n");
    CHECK(client.read_exactly(11) == "SSH-2.0-x\r\n");
  }
  const std::string line = access_line(proxy, {"CONNECT localhost:22 200"});
  CHECK(contains(line, "context=" + context.id));
  CHECK(contains(line, fmt::format("to=http://127.0.0.1:{}", workspace.http_port())));
  CHECK(contains(line, "protocols=tcp,http/1.1 sent=11 received=11"));
  CHECK(sample(proxy, "cmuxproxy_tunnels_total") == 1);
  CHECK(sample(proxy, "cmuxproxy_bytes_total{from=\"upstream\"}") == 11);
}

TEST_CASE("access log: as JSON each line is a document, with the members of a request event") {
  Proxy proxy({"--access-log", "--log-format", "json", "--refused-timeout", "0"});
  const Context context = proxy.context();
  CHECK(proxy.get(context, "http://127.0.0.1:1/%22x?y=1").status == 502);
  CHECK(proxy.process().stop() == 0);
  std::string requests;
  const std::string log = proxy.process().stderr_text();
  for (std::size_t at = 0; at < log.size();) {
    const std::size_t end = log.find('\n', at);
    INFO(log.substr(at, end - at));
    const auto document = boost::json::parse(log.substr(at, end - at)).as_object();
    if (document.contains("request")) requests += boost::json::serialize(document.at("request")) + "\n";
    at = end + 1;
  }
  const Run checked =
      run({"python3", source("tests/e2e/python/schema.py"), source("docs/openapi.yaml#/components/schemas/RequestEvent")}, {},
          requests);
  INFO(requests << checked.out << checked.err);
  CHECK(checked.exit == 0);
  const auto record = boost::json::parse(requests).as_object();
  CHECK(text_in(record, "url") == "http://127.0.0.1:1/%22x");
  CHECK(text_in(record, "error") == "connection_refused");
}

TEST_CASE("metrics: promtool finds nothing to say, and they count what has happened") {
  Workspace workspace;
  Proxy proxy({"--refused-timeout", "0"}, &workspace);
  const Context context = proxy.routed();
  Client client = proxy.connect();
  CHECK(client.ask(request_text("POST", "http://localhost:3000/echo", context, {}, "12345")).status == 200);
  CHECK(client.ask(request_text("GET", "http://localhost:3000/status/404", context)).status == 404);
  CHECK(proxy.get(proxy.context(), "http://127.0.0.1:1/").status == 502);
  CHECK(proxy.connect().ask("GET http://localhost:3000/ HTTP/1.1\r\nHost: localhost:3000\r\n\r\n").status == 407);
  const Response metrics = proxy.api("GET", "/metrics");
  CHECK(metrics.header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8");
  const Run lint = run({"promtool", "check", "metrics"}, {}, metrics.body);
  INFO(lint.out << lint.err);
  CHECK(lint.exit == 0);
  CHECK(lint.out + lint.err == "");
  const auto is = [&](const std::string& name, double value) {
    INFO(name);
    CHECK(sample(proxy, name) == value);
  };
  is("cmuxproxy_requests_total", 4);
  is("cmuxproxy_requests_open", 0);
  is("cmuxproxy_responses_total{source=\"workspace\",code=\"2xx\"}", 1);
  is("cmuxproxy_responses_total{source=\"workspace\",code=\"4xx\"}", 1);
  is("cmuxproxy_responses_total{source=\"proxy\",code=\"4xx\"}", 1);
  is("cmuxproxy_responses_total{source=\"direct\",code=\"2xx\"}", 0);
  is("cmuxproxy_request_duration_seconds_count", 4);
  is("cmuxproxy_request_first_byte_seconds_count", 2);
  is("cmuxproxy_upstream_connect_seconds_count", 1);
  is("cmuxproxy_upstream_tls_seconds_count", 1);
  is("cmuxproxy_upstream_connections_open", 1);
  is("cmuxproxy_upstream_connections_idle", 1);
  is("cmuxproxy_bytes_total{from=\"client\"}", 5);
  is("cmuxproxy_errors_total{error=\"connection_refused\"}", 1);
  is("cmuxproxy_errors_total{error=\"http_request_denied\"}", 1);
  is("cmuxproxy_contexts", 2);
  is("cmuxproxy_contexts_created_total", 2);
  is("cmuxproxy_build_info{version=\"" + text_in(proxy.api("GET", "/v1/status").json(), "version") + "\"}", 1);
  CHECK(sample(proxy, "cmuxproxy_bytes_total{from=\"upstream\"}") > 0);
  CHECK(sample(proxy, "cmuxproxy_ca_not_after_timestamp_seconds") > sample(proxy, "process_start_time_seconds"));
  // What status says is the same count.
  const auto requests = proxy.api("GET", "/v1/status").json().at("requests").as_object();
  CHECK(number_in(requests, "refused") == 1);
  CHECK(number_in(requests, "failed") == 1);
}

TEST_CASE("contexts: ctx list and show tell of their use, by whichever worker") {
  Workspace workspace;
  Proxy proxy({"--threads", "2"}, &workspace);
  const Context used = proxy.context({"--morph-id", "abc", "--scope", "base", "--domain-suffix", "cmux.test", "--owner-pid",
                                      std::to_string(getpid()), "--dedicated-port"});
  const Context unused = proxy.context();
  Client hanging = proxy.connect();
  for (int i = 0; i < 4; ++i) CHECK(proxy.get(used, "http://localhost:3000/").status == 200);
  hanging.send(request_text("GET", "http://localhost:3000/hang", used));
  REQUIRE(eventually([&] { return workspace.requests() == 5; }));
  const auto shown = proxy.cli({"ctx", "show", used.id, "--json"}).json().as_object();
  CHECK(number_in(shown, "ownerPid") == getpid());
  CHECK(number_in(shown.at("usage").as_object(), "requests") == 5);
  CHECK(number_in(shown.at("usage").as_object(), "open") == 1);
  CHECK_FALSE(text_in(shown.at("usage").as_object(), "lastAt").empty());
  const auto other = proxy.api("GET", "/v1/contexts/" + unused.id).json();
  CHECK(other.at("usage") == boost::json::value({{"requests", 0}, {"open", 0}, {"lastAt", nullptr}}));
  CHECK(other.at("ownerPid").is_null());
  const Run list = proxy.cli({"ctx", "list"});
  const std::string row = list.out.substr(list.out.find(used.id), list.out.find('\n', list.out.find(used.id)));
  CHECK(contains(list.out, "OWNER"));
  CHECK(contains(row, fmt::format(" {} ", getpid())));
  CHECK(contains(row, fmt::format(" {} ", number_in(shown, "dedicatedPort"))));
}

TEST_CASE("logs: the last lines are told to who asks, wherever standard error goes, and -f goes on") {
  Proxy proxy;
  const Context context = proxy.context({"--label", "one"});
  CHECK(proxy.cli({"ctx", "release", context.id}).exit == 0);
  const std::string said = fmt::format("released context {}: it was released", context.id);
  const Run text = proxy.cli({"logs"});
  CHECK(text.exit == 0);
  CHECK(contains(text.out, " info  " + said + "\n"));
  CHECK(proxy.cli({"logs", "-n", "0"}).out.empty());

  Process follower;
  follower.start({binary(), "logs", "-f", "--json", "--instance", proxy.instance}, proxy.environment());
  const auto first = boost::json::parse(follower.read_line()).as_object();
  CHECK(text_in(first, "message") == said);
  CHECK(text_in(first, "level") == "info");
  const Context second = proxy.context();
  CHECK(proxy.cli({"ctx", "release", second.id}).exit == 0);
  const auto next = boost::json::parse(follower.read_line()).as_object();
  CHECK(text_in(next, "message") == fmt::format("released context {}: it was released", second.id));
  CHECK(number_in(next, "number") == number_in(first, "number") + 1);
  const auto after = proxy.api("GET", fmt::format("/v1/logs?after={}", number_in(first, "number"))).json();
  CHECK(after.at("lines").as_array().size() == 1);
  CHECK(proxy.api("GET", "/v1/logs?after=x").status == 400);
  CHECK(proxy.process().stop() == 0);
  CHECK(follower.wait() == 0);
}

}  // namespace e2e
