// What the inspector keeps is bounded, whatever comes: large bodies, those without end, bombs, long heads, many requests.
#include "inspector.hpp"

namespace e2e {
namespace {

constexpr std::int64_t kMemory = 4 * 1024 * 1024;

std::int64_t used(const Proxy& proxy) {
  return number_in(proxy.api("GET", "/v1/capture").json().at("memory").as_object(), "used");
}

}  // namespace

TEST_CASE("inspector load: memory stays within its setting under many requests, and the last ones are there") {
  Workspace workspace;
  const bool two = GENERATE(false, true);
  Proxy proxy({"--capture", "bodies", "--capture-memory", "4m", "--threads", two ? "2" : "1"}, &workspace);
  const Context context = proxy.routed();
  ExchangeStream stream(proxy);  // of which nobody reads
  Client client = proxy.connect(), other = proxy.connect();
  const std::string url = "http://localhost:3000/bytes/20000?" + std::string(2'000, 'q');
  const std::int64_t count = scaled(3'000);
  std::size_t memory = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    CHECK((i % 2 == 0 ? client : other).ask(request_text("GET", fmt::format("{}&{}", url, i), context)).status == 200);
    if (i % 500 == 0) CHECK(used(proxy) <= kMemory);
    if (i == count / 2) memory = proxy.process().anonymous_kb();
  }
  CHECK(used(proxy) <= kMemory);
  CHECK(used(proxy) > kMemory / 4);
  if (!slow()) CHECK(proxy.process().anonymous_kb() < memory + 16 * 1024);
  const auto kept = exchanges(proxy);
  CHECK(kept.size() < 400);
  REQUIRE_FALSE(kept.empty());
  const auto state = proxy.api("GET", "/v1/exchanges").json();
  CHECK(number_in(state, "first") > count / 2);
  CHECK(proxy.api("GET", "/v1/exchanges/x-1").status == 404);
  // All of it as HAR, while more comes.
  const Response har = proxy.api("GET", "/v1/har");
  CHECK(har.status == 200);
  CHECK(boost::json::parse(har.body).at("log").at("entries").as_array().size() > 0);
}

TEST_CASE("inspector load: of large bodies the first bytes are kept, both ways, and all of them go through") {
  Workspace workspace;
  Proxy proxy({"--capture", "bodies", "--capture-memory", "4m", "--threads", "1"}, &workspace);  // who share it
  const Context context = proxy.routed();
  const std::int64_t length = scaled(200'000'000);
  const std::size_t before = proxy.process().peak_kb();
  {
    Client client = proxy.connect();
    client.send(request_text("GET", fmt::format("http://localhost:3000/bytes/{}", length), context));
    client.read_until("\r\n\r\n");
    for (std::int64_t left = length; left > 0;) left -= static_cast<std::int64_t>(client.read_some().size());
  }
  const auto large = details(proxy, exchange_to(proxy, "/bytes/"));
  CHECK(number_in(part(large, "response", "body"), "size") == length);
  CHECK(number_in(part(large, "response", "body"), "kept") == kMemory / 8);
  CHECK(part(large, "response", "body").at("complete") == false);
  const Response bytes = proxy.api("GET", fmt::format("/v1/exchanges/{}/body?side=response", text_in(large, "id")));
  CHECK(bytes.body.size() == kMemory / 8);
  CHECK(bytes.header("X-Cut") == "true");
  CHECK(bytes.header("Content-Type") == "application/octet-stream");
  CHECK(bytes.header("X-Content-Type-Options") == "nosniff");
  CHECK(bytes.header("Content-Disposition").starts_with("attachment"));
  // One that says 10 GB, and a client that leaves.
  Client leaving = proxy.connect();
  leaving.send(request_text("GET", "http://localhost:3000/bytes/10000000000", context));
  leaving.read_some();
  leaving.close();
  CHECK(text_in(exchange_to(proxy, "/bytes/10000000000"), "state") == "failed");
  Client upload = proxy.connect();
  CHECK(upload.ask(request_text("POST", "http://localhost:3000/upload", context, {}, std::string(3'000'000, 'u'))).status == 200);
  CHECK(number_in(part(details(proxy, exchange_to(proxy, "/upload")), "request", "body"), "kept") == kMemory / 8);
  CHECK(used(proxy) <= kMemory);
  if (!slow()) CHECK(proxy.process().peak_kb() < before + 64 * 1024);
}

TEST_CASE("inspector load: compressed bodies are decoded for showing, as far as that goes, and are passed on as they are") {
  Proxy proxy({"--capture", "bodies"});
  const Context context = proxy.context();
  const Upstream upstream;
  const auto serve = [&](std::string_view coding, const std::string& body) {
    Client client = proxy.connect();
    client.send(request_text("GET", upstream.url("/" + std::string(coding)), context));
    Peer peer = upstream.accept();
    peer.read_until("\r\n\r\n");
    peer.send(fmt::format("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: {}\r\nContent-Length: {}\r\n\r\n",
                          coding, body.size()) +
              body);
    CHECK(client.read_response().body == body);
    return "/v1/exchanges/" + text_in(exchange_to(proxy, "/" + std::string(coding)), "id") + "/body?side=response";
  };
  const auto python = [](std::string_view code) {
    return decoded(
        run({"python3", "-c", fmt::format("import base64,gzip,zlib; print(base64.b64encode({}).decode(),end='')", code)}).out);
  };
  const std::string gzip = python("gzip.compress(b'hello'*10)");
  const std::string path = serve("gzip", gzip);
  CHECK(proxy.api("GET", path).body == gzip);
  const Response plain = proxy.api("GET", path + "&decoded=1");
  CHECK(plain.body == "hellohellohellohellohellohellohellohellohellohello");
  CHECK_FALSE(plain.has("X-Cut"));
  CHECK(proxy.api("GET", serve("deflate", python("zlib.compress(b'hello')")) + "&decoded=1").body == "hello");
  CHECK(proxy.api("GET", serve("zstd", "none") + "&decoded=1").status == 415);
  CHECK(proxy.api("GET", serve("br", "none at all \xff\xff") + "&decoded=1").status == 415);
  const Response bomb = proxy.api("GET", serve("x-gzip", python("gzip.compress(bytes(500*1024*1024))")) + "&decoded=1");
  CHECK(bomb.status == 200);
  CHECK(bomb.body.size() == 16 * 1024 * 1024);
  CHECK(bomb.header("X-Cut") == "true");
  CHECK(proxy.api("GET", path + "&decoded=2").status == 400);
  CHECK(proxy.api("GET", path.substr(0, path.find('?'))).status == 400);
  if (!slow()) CHECK(proxy.process().peak_kb() < 256 * 1024);
}

TEST_CASE("inspector load: heads of 500 fields and URLs of 32 KB, and bytes that are no UTF-8, are shown as JSON") {
  Workspace workspace;
  Proxy proxy({"--capture", "bodies"}, &workspace);
  const Context context = proxy.routed();
  std::string fields;
  for (int i = 0; i < 490; ++i) fields += fmt::format("X-{}: <script>\x1b[2J\xff{}\r\n", i, i);
  // An escape is refused in a field's value by the proxy itself; without it they go through.
  fields.erase(std::remove(fields.begin(), fields.end(), '\x1b'), fields.end());
  Client client = proxy.connect();
  CHECK(
      client.ask(request_text("GET", "http://localhost:3000/echo?" + std::string(32'000, 'q') + "=1", context, fields)).status ==
      200);
  const auto all = details(proxy, exchange_to(proxy, "/echo"));
  fits_schema("Exchange", all);
  CHECK(part(all, "request", "received").at("fields").as_array().size() > 490);
  CHECK(field(part(all, "request", "sent"), "x-7") == "<script>[2Jÿ7 ");
  CHECK(text_in(part(all, "request", "received"), "line").size() > 32'000);
  Client odd = proxy.connect();
  CHECK(odd.ask(request_text("POST", "http://localhost:3000/echo?odd=", context, {}, "\x1b]0;x\x07\xff<script>")).status == 200);
  CHECK(body_text(details(proxy, exchange_to(proxy, "?odd=")), "request") == "\x1b]0;x\x07\xff<script>");
}

TEST_CASE("inspector load: answers that nobody takes hold so much, and small ones are given all the same") {
  Proxy proxy({"--capture", "bodies"});
  const Upstream upstream;
  Client client = proxy.connect();
  client.send(request_text("GET", upstream.url("/bomb"), proxy.context()));
  {
    Peer peer = upstream.accept();
    peer.read_until("\r\n\r\n");
    const std::string bomb = decoded(
        run({"python3", "-c", "import base64,gzip; print(base64.b64encode(gzip.compress(bytes(20*1024*1024))).decode(),end='')"})
            .out);
    peer.send(fmt::format("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n{}", bomb.size(), bomb));
    client.read_response();
  }
  const std::string id = text_in(exchange_to(proxy, "/bomb"), "id");
  const std::string path = fmt::format("/v1/exchanges/{}/body?side=response&decoded=1", id);
  std::vector<Client> deaf;
  for (int i = 0; i < 4; ++i) {
    Client& one = deaf.emplace_back();
    one.receive_buffer(4096);
    one.connect(proxy.admin_port());
    one.send(fmt::format("GET {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {}\r\n\r\n", path, proxy.admin_port(),
                         proxy.token));
    CHECK(one.read_until("\r\n\r\n").starts_with("HTTP/1.1 200 "));
  }
  const Response refused = proxy.api("GET", path);
  CHECK(refused.status == 503);
  CHECK(refused.header("Retry-After") == "1");
  CHECK(proxy.api("GET", "/v1/har").status == 503);
  CHECK(proxy.api("GET", "/v1/exchanges").status == 200);
  deaf.clear();
  REQUIRE(eventually([&] { return proxy.api("GET", path).body.size() == 16 * 1024 * 1024; }));
  REQUIRE(eventually([&] { return proxy.api("GET", "/v1/har").status == 200; }));
}

TEST_CASE("inspector load: replays that wait hold so much, and the next one is told to come later") {
  Proxy proxy({"--capture", "bodies"});
  const Context context = proxy.context();
  const Upstream upstream;  // takes connections, and says nothing
  Client client = proxy.connect();
  client.send(request_text("GET", upstream.url("/waits"), context));
  upstream.accept().read_until("\r\n\r\n");
  const std::string path = "/v1/exchanges/" + text_in(exchange_to(proxy, "/waits"), "id") + "/replay";
  const std::string edit = fmt::format(R"({{"method":"POST","body":"{}"}})", std::string(4'000'000, 'A'));
  int begun = 0;
  Response answer;
  while ((answer = proxy.api("POST", path, edit)).status == 202 && begun < 100) ++begun;
  CHECK(answer.status == 503);
  CHECK(answer.header("Retry-After") == "1");
  CHECK(begun == 64 * 1024 * 1024 / (3'000'000 + 16 * 1024));
  CHECK(proxy.api("POST", path).status == 202);  // without a body there is room
  CHECK(proxy.cli({"ctx", "release", context.id}).exit == 0);
  const Context next = proxy.context();
  client = proxy.connect();
  client.send(request_text("GET", upstream.url("/again"), next));
  const std::string again = "/v1/exchanges/" + text_in(exchange_to(proxy, "/again", false), "id") + "/replay";
  REQUIRE(eventually([&] { return proxy.api("POST", again, edit).status == 202; }));
}

}  // namespace e2e
