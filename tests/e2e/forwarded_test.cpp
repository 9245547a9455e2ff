// What may go through a forwarded port as raw bytes, and what may not: a web page can make a browser of this machine connect
// there.
#include "rows.hpp"
#include "support.hpp"

namespace e2e {
namespace {

struct Forwarded {
  explicit Forwarded(const char* port, const Strings& flags = {}) : proxy(flags) {
    context = proxy.context({"--forward", fmt::format("{}:0", port), "--cmux-proxy-origin",
                             fmt::format("http://127.0.0.1:{}", workspace.http_port())});
    local = static_cast<std::uint16_t>(number_in(context.json.at("forwards").as_array().at(0).as_object(), "local"));
  }
  std::string evil() const { return fmt::format(" HTTP/1.1\r\nHost: evil.example:{}\r\n\r\n", local); }

  Workspace workspace;
  Proxy proxy;
  Context context;
  std::uint16_t local = 0;
};

}  // namespace

TEST_CASE("forwarded: no request of a web page's is carried raw, whatever its method") {
  Forwarded stage("3000");
  const auto seen = stage.workspace.requests();
  const auto check = [&](const std::string& name, const std::string& bytes, int status) {
    each(name, [&] {
      Client client(stage.local);
      client.send(bytes);
      const Response response = client.read_response();
      check_own_answer(response, status);
      if (status == 421) CHECK(client.ask("GET /later" + stage.evil()).status == 421);
    });
  };
  for (const std::size_t size : {1, 32, 33, 4'090, 4'096, 5'000, 20'000})
    check(fmt::format("a method of {}", size), std::string(size, 'A') + " /x" + stage.evil(), 421);
  check("a method over every limit", std::string(40'000, 'A') + " /x" + stage.evil(), 501);
  check("a path over the limit", "GET /" + std::string(40'000, 'a') + stage.evil(), 414);
  check("a method of marks", "!#$%&'*+-.^_`|~ /x" + stage.evil(), 421);
  check("an empty line in front", "\r\nGET /x" + stage.evil(), 421);
  check("two spaces", "GET  /x" + stage.evil(), 400);
  check("a tab", "GET\t/x" + stage.evil(), 400);
  check("lines that end in LF", "GET /x HTTP/1.1\nHost: evil.example\n\n", 400);
  each("a method in pieces", [&] {
    Client client(stage.local);
    for (int i = 0; i < 20; ++i) client.send(std::string(250, 'A'));
    client.send(" /x" + stage.evil());
    CHECK(client.read_response().status == 421);
  });
  each("a line that ends with the connection", [&] {
    Client client(stage.local);
    client.send("AAAA");
    client.half_close();
    CHECK(client.read_response().status == 400);
  });
  CHECK(stage.workspace.requests() == seen);
  CHECK(counter(stage.workspace, "tunnels") == 0);
}

TEST_CASE("forwarded: a line without end is answered, and not carried") {
  Forwarded stage("3000", {"--header-timeout", "300ms"});
  Client client(stage.local);
  client.send("AAAA");
  CHECK(client.read_response().status == 408);
  CHECK(stage.workspace.requests() == 0);
}

TEST_CASE("forwarded: the protocols that it is for are carried") {
  Forwarded stage("5432");
  for (const std::string& bytes : {std::string("\0\0\0\x08\x04\xd2\x16\x2f", 8), std::string("SSH-2.0-OpenSSH_9.2\r\n"),
                                   std::string("PING\r\n"), std::string("*1\r\n$4\r\nPING\r\n"), std::string("get key\r\n"),
                                   std::string("EHLO example\r\nGET / HTTP/1.1\r\n\r\n"), std::string("\x10\x0c\0\x04MQTT", 8)})
    each(bytes, [&] {
      Client client(stage.local);
      client.send(bytes);
      CHECK(client.read_exactly(bytes.size()) == bytes);
      client.send("GET / HTTP/1.1\r\n\r\n");  // by now these are that protocol's
      CHECK(client.read_exactly(18) == "GET / HTTP/1.1\r\n\r\n");
    });
  each("a line in two pieces", [&] {
    Client client(stage.local);
    client.send("PI");
    client.send("NG\r\n");
    CHECK(client.read_exactly(6) == "PING\r\n");
  });
}

TEST_CASE("forwarded: where the workspace speaks first, the client's first line may be no request either") {
  Forwarded stage("2222");
  {
    Client client(stage.local);
    CHECK(client.read_until("\r\n") == "SSH-2.0-fake\r\n");
    client.send("SSH-2.0-mine\r\n");
    CHECK(client.read_until("\r\n") == "SSH-2.0-mine\r\n");
  }
  Client client(stage.local);
  CHECK(client.read_until("\r\n") == "SSH-2.0-fake\r\n");
  client.send("AAAA /x" + stage.evil());
  CHECK(client.read_all_until_close().empty());
}

}  // namespace e2e
