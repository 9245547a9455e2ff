// `gateway machine`: which ports listen, for who shows the secret.
#include <fmt/format.h>

#include <algorithm>

#include "gateway.hpp"
#include "h2_client.hpp"
#include "rows.hpp"
#include "support.hpp"

using namespace e2e;

namespace {

// What its gateway is told must be there before it.
struct Secret {
  const std::string secret = std::string(32, 's');
  TempDir dir;
  std::string file() const {
    write_file(dir / "token", secret);
    return dir / "token";
  }
};
struct Machine : Secret, Gateway {
  Machine() : Gateway({"machine"}, {"--token", file(), "--threads", "1"}) {}  // a limit is a thread's
  std::string request(std::string_view fields = "", bool with_secret = true) const {
    return fmt::format("GET /_cmux/ports HTTP/1.1\r\nHost: machine.test\r\n{}{}\r\n",
                       with_secret ? "X-Cmux-Token: " + secret + "\r\n" : std::string(), fields);
  }
};

bool names(const boost::json::object& told, std::uint16_t port) {
  const auto& ports = told.at("ports").as_array();
  return std::any_of(ports.begin(), ports.end(), [&](const boost::json::value& one) { return one == port; });
}

// The next event that says whether that port listens as is wanted.
void wait_for(Client& client, std::uint16_t port, bool wanted) {
  while (true) {
    const std::string event = client.read_until("}\n\n");
    const auto at = event.find("data: ");
    REQUIRE(at != event.npos);
    if (names(boost::json::parse(event.substr(at + 6, event.find('\n', at) - at - 6)).as_object(), port) == wanted) return;
  }
}

}  // namespace

TEST_CASE("gateway ports: a machine tells its own ports, and each workspace's, and not the gateway's") {
  Machine machine;
  const Workspace plain({"--sniff-port-header"}), everywhere({"--sniff-port-header", "--bind", "0.0.0.0"}),
      six({"--sniff-port-header", "--bind", "::1"});
  Client client = machine.connect();
  // On that address the system may give a number that some other program has on 127.0.0.1, now and then.
  std::unique_ptr<Workspace> held;
  for (int tries = 0; tries < 5; ++tries) {
    held = std::make_unique<Workspace>(Strings{"--sniff-port-header", "--bind", "127.18.0.7"});
    if (!names(client.ask(machine.request()).json(), held->http_port())) break;
  }
  const Workspace& seventh = *held;
  const Response answer = client.ask(machine.request());
  CHECK(answer.status == 200);
  CHECK(answer.header("Content-Type") == "application/json");
  CHECK(answer.header("Cache-Control") == "no-store");
  const auto own = answer.json();
  CHECK(names(own, plain.http_port()));
  CHECK(names(own, everywhere.http_port()));
  CHECK(names(own, six.http_port()));
  CHECK_FALSE(names(own, seventh.http_port()));
  CHECK_FALSE(names(own, machine.port()));
  const auto workspace = client.ask(machine.request("X-Cmux-Workspace-Internal: ws7\r\n")).json();
  CHECK(names(workspace, seventh.http_port()));
  CHECK(names(workspace, everywhere.http_port()));
  CHECK_FALSE(names(workspace, plain.http_port()));
}

TEST_CASE("gateway ports: they are told neither without the secret nor to a page; a dev server's path of that name is its own") {
  Machine machine;
  const Workspace server({"--sniff-port-header"});
  Client client = machine.connect();
  check_own_answer(client.ask(machine.request("", false)), 403);
  check_own_answer(client.ask(machine.request("X-Cmux-Token: " + std::string(32, 'x') + "\r\n", false)), 403);
  check_own_answer(client.ask(machine.request("X-Cmux-Token: " + machine.secret + "\r\n")), 403);  // twice
  for (const char* const field :
       {"Origin: http://localhost:3000", "Origin: null", "Sec-Fetch-Site: none", "Sec-Fetch-Mode: cors"})
    each(field, [&] { check_own_answer(client.ask(machine.request(std::string(field) + "\r\n")), 403); });
  check_own_answer(client.ask(machine.request("X-Cmux-Workspace-Internal: ws99999999999\r\n")), 400);
  const Response theirs = client.ask(machine.request(fmt::format("X-Cmux-Port-Internal: {}\r\n", server.http_port())));
  CHECK(theirs.body == "nothing at /_cmux/ports\n");
  Gateway open({"machine"});
  const Response refused = open.connect().ask("GET /_cmux/ports HTTP/1.1\r\nHost: machine.test\r\n\r\n");
  check_own_answer(refused, 403);
  CHECK(refused.body.find("--token") != std::string::npos);
}

TEST_CASE("gateway ports: a stream says each change, over HTTP/1 and HTTP/2") {
  Machine machine;
  Client plain = machine.connect();
  plain.send(machine.request("Accept: text/event-stream\r\n"));
  CHECK(plain.read_until("\r\n\r\n").find("text/event-stream") != std::string::npos);
  const H2Client h2(machine.connect());
  const H2Stream stream = h2.open({{":method", "GET"},
                                   {":scheme", "http"},
                                   {":authority", "machine.test"},
                                   {":path", "/_cmux/ports"},
                                   {"accept", "text/event-stream"},
                                   {"x-cmux-token", machine.secret}});
  CHECK(stream.read_head().status == 200);
  Client events = stream.bytes();
  std::uint16_t port = 0;
  {
    const Workspace server({"--sniff-port-header"});
    port = server.http_port();
    wait_for(plain, port, true);
    wait_for(events, port, true);
  }
  wait_for(plain, port, false);
  wait_for(events, port, false);
  // Who leaves is not told any more, and a stop is not held up for ever.
  plain.abort();
  stream.reset();
  const auto open = [&] {
    return number_in(machine.cli({"status", "--json"}).json().as_object().at("requests").as_object(), "open");
  };
  CHECK(eventually([&] { return open() == 0; }));
}

TEST_CASE("gateway ports: so many are told, and no more") {
  Machine machine;
  std::vector<Client> clients;
  for (int i = 0; i < 100; ++i) {
    clients.push_back(machine.connect());
    clients.back().send(machine.request("Accept: text/event-stream\r\n"));
    CHECK(clients.back().read_until("\r\n\r\n").starts_with("HTTP/1.1 200"));
  }
  check_own_answer(machine.connect().ask(machine.request("Accept: text/event-stream\r\n")), 503);
  CHECK(machine.connect().ask(machine.request()).status == 200);
  clients.front().abort();
  CHECK(eventually([&] {
    Client another = machine.connect();
    another.send(machine.request("Accept: text/event-stream\r\n"));
    return another.read_until("\r\n\r\n").starts_with("HTTP/1.1 200");
  }));
  clients.clear();
}

TEST_CASE("gateway ports: who follows them holds up no stop") {
  Machine machine;
  Client client = machine.connect();
  client.send(machine.request("Accept: text/event-stream\r\n"));
  client.read_until("}\n\n");
  CHECK(machine.cli({"stop", "--timeout", "1h"}).exit == 0);
  CHECK(machine.process().wait() == 0);
  CHECK(client.read_all_until_close().ends_with("0\r\n\r\n"));
}
