// Other people's HTTP/2: nghttp, h2load, curl and Node as clients, nghttpd and Node as servers.
#include <sstream>
#include <thread>

#include "support.hpp"

namespace e2e {
namespace {

const Strings kHttp2 = {"--alpn", "h2,http/1.1"};

std::string authorization(const Context& context) {
  const std::string line = context.auth_line();
  return line.substr(line.find(": ") + 2, line.size() - line.find(": ") - 4);
}

Strings nghttp(const Context& context, Strings more) {
  Strings all = {"nghttp", "--no-verify-peer",
                 "-H",     ":authority: localhost:3000",
                 "-H",     "proxy-authorization: " + authorization(context),
                 "-t",     "30"};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

std::string on(std::string_view scheme, const Proxy& proxy, std::string_view path) {
  return fmt::format("{}://127.0.0.1:{}{}", scheme, proxy.port(), path);
}

// h2load's line "requests: 20 total, … 20 succeeded, 0 failed, …".
void check_load(const Run& run, std::int64_t count) {
  INFO(run.out << run.err);
  CHECK(run.exit == 0);
  CHECK(run.out.find(fmt::format("{} succeeded, 0 failed, 0 errored, 0 timeout", count)) != std::string::npos);
  CHECK(run.out.find(fmt::format("status codes: {} 2xx", count)) != std::string::npos);
}

// Node's server; ends with its standard input.
std::uint16_t start_node(Process& process, const Strings& arguments) {
  Strings all = {"node", source("tests/e2e/node/h2-server.mjs")};
  all.insert(all.end(), arguments.begin(), arguments.end());
  process.start(all, {}, Process::Stdin::pipe);
  return static_cast<std::uint16_t>(number_in(boost::json::parse(process.read_line()).as_object(), "port"));
}

// The port that a process listens on, for servers that do not say it; 0 while there is none.
std::uint16_t listening_port(pid_t pid) {
  const Run found = run({"sh", "-c", fmt::format("ls -l /proc/{}/fd; cat /proc/net/tcp", pid)});
  std::istringstream lines(found.out);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string number, local, remote, state, skipped, inode;
    words >> number >> local >> remote >> state >> skipped >> skipped >> skipped >> skipped >> skipped >> inode;
    const bool listens = state == "0A" && local.find(':') != std::string::npos;
    if (listens && found.out.find(fmt::format("socket:[{}]", inode)) != std::string::npos)
      return static_cast<std::uint16_t>(std::stoul(local.substr(local.find(':') + 1), nullptr, 16));
  }
  return 0;
}

}  // namespace

TEST_CASE("interop: nghttp and h2load, with and without TLS") {
  Workspace workspace(kHttp2);
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  const std::string_view scheme = GENERATE("http", "https");
  INFO(scheme);
  const Run home = run(nghttp(context, {on(scheme, proxy, "/")}));
  INFO(home.out << home.err);
  CHECK(home.out.find("scope base port 3000") != std::string::npos);
  const Run trailers = run(nghttp(context, {"-v", on(scheme, proxy, "/trailers")}));
  CHECK(trailers.out.find("x-count: 15") != std::string::npos);
  const Run interim = run(nghttp(context, {"-v", on(scheme, proxy, "/1xx?count=2")}));
  CHECK(interim.out.find(":status: 103") != std::string::npos);
  CHECK(interim.out.find(":status: 200") != std::string::npos);
  const Run wrong = run({"nghttp", "-v", "--no-verify-peer", "-H", ":authority: localhost:3000", on(scheme, proxy, "/")});
  CHECK(wrong.out.find(":status: 407") != std::string::npos);
  const std::int64_t count = scaled(2'000);
  check_load(run({"h2load", "-n", std::to_string(count), "-c", "5", "-m", "20", "-H", ":authority: localhost:3000", "-H",
                  "proxy-authorization: " + authorization(context), on(scheme, proxy, "/bytes/1000")}),
             count);
}

TEST_CASE("interop: curl over HTTP/2 by prior knowledge, and to https inside a tunnel") {
  Workspace workspace(kHttp2);
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  const std::string ca = text_in(proxy.ready, "caFile");
  const auto curl = [&](Strings arguments) {
    Strings all = {"curl", "-sS", "--max-time", "30", "--noproxy", "", "-w", " %{http_version}"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    const Run done = run(all);
    INFO(done.err);
    CHECK(done.exit == 0);
    return done.out;
  };
  const std::string show = context.auth_line().substr(0, context.auth_line().size() - 2);
  CHECK(curl({"--http2-prior-knowledge", "-H", show, "-H", "Host: localhost:3000", on("http", proxy, "/")})
            .ends_with("port 3000\n 2"));
  CHECK(curl({"--http2-prior-knowledge", "-H", show, "-H", "Host: localhost:3000", "--data-binary", std::string(50'000, 'x'),
              on("http", proxy, "/upload")})
            .find("\"length\":50000") != std::string::npos);
  // The secure proxy, asked in HTTP/1.1 and, where this curl can, in HTTP/2.
  const std::string secure = fmt::format("https://{}:{}@127.0.0.1:{}", context.username, context.password, proxy.port());
  Strings through = {"-x", secure, "--proxy-cacert", ca, "--cacert", ca};
  CHECK(curl({"-x", secure, "--proxy-cacert", ca, "http://localhost:3000/"}).ends_with("port 3000\n 1.1"));
  through.push_back("https://localhost:3443/");
  CHECK(curl(through).ends_with("port 3443\n 2"));
  if (run({"curl", "--help", "all"}).out.find("--proxy-http2") != std::string::npos) {
    through.insert(through.begin(), "--proxy-http2");
    CHECK(curl(through).ends_with("port 3443\n 2"));
  }
}

TEST_CASE("interop: Node's HTTP/2 client") {
  Workspace workspace(kHttp2);
  Proxy proxy({}, &workspace);
  const Context context = proxy.routed();
  const std::string_view scheme = GENERATE("http", "https");
  const Run done = run({"node", source("tests/e2e/node/h2-client.mjs"), on(scheme, proxy, ""), text_in(proxy.ready, "caFile"),
                        authorization(context)});
  INFO(done.err);
  CHECK(done.exit == 0);
  CHECK(done.out == "get\nupload\ninterim\ntrailers\nparallel\n407 of one stream\nextended CONNECT\nCONNECT\n");
}

TEST_CASE("interop: Node's HTTP/2 server") {
  const bool tls = GENERATE(false, true);
  INFO(tls);
  Process server;
  const std::uint16_t port = start_node(server, tls ? Strings{pki() + "/srv.crt", pki() + "/srv.key"} : Strings{});
  Proxy proxy({"--threads", "1", "--upstream-ca", pki() + "/ca.crt", "--resolve", fmt::format("*.cmux.test=127.0.0.1:{}", port)});
  const Context context = tls ? proxy.routed() : proxy.context({"--cmux-proxy-origin", fmt::format("h2c://127.0.0.1:{}", port)});
  for (int i = 0; i < 3; ++i) {
    Client client = proxy.connect();
    client.send(request_text("POST", "http://localhost:3000/echo", context, "Cookie: a=1; b=2\r\n", "a body"));
    CHECK(client.read_response().status == 103);
    const Response answer = client.read_response();
    CHECK(answer.status == 200);
    CHECK(answer.headers("set-cookie") == Strings{"a=1", "b=2"});
    CHECK(number_in(answer.json(), "length") == 6);
    CHECK(number_in(answer.json(), "sessions") == 1);
    CHECK(text_in(answer.json().at("headers").as_object(), "cookie") == "a=1; b=2");
  }
  CHECK(proxy.get(context, "http://localhost:3000/trailers", "TE: trailers\r\n").trailers == "x-checksum: abc\r\n");
  Client socket = proxy.connect();
  CHECK(socket.ask(request_text("GET", "http://localhost:3000/ws", context, "Connection: Upgrade\r\nUpgrade: echo\r\n")).status ==
        101);
  socket.send("ping");
  CHECK(socket.read_exactly(4) == "ping");
  socket.close();
  server.close_stdin();
  CHECK(server.wait() == 0);
}

TEST_CASE("interop: nghttpd") {
  TempDir home;
  run({"sh", "-c", "printf hello > " + home / "hello.txt"});
  const bool tls = GENERATE(false, true);
  INFO(tls);
  Strings command = {"nghttpd", "-a", "127.0.0.1", "-d", home.path, "--trailer", "x-end: yes"};
  if (!tls) command.push_back("--no-tls");
  command.push_back("0");
  if (tls) command.insert(command.end(), {pki() + "/srv.key", pki() + "/srv.crt"});
  Process server;
  server.start(command);
  std::uint16_t port = 0;
  REQUIRE(eventually([&] { return (port = listening_port(server.pid())) != 0; }));
  Proxy proxy({"--upstream-ca", pki() + "/ca.crt", "--resolve", fmt::format("*.cmux.test=127.0.0.1:{}", port)});
  const Context context = tls ? proxy.routed() : proxy.context({"--cmux-proxy-origin", fmt::format("h2c://127.0.0.1:{}", port)});
  const Response answer = proxy.get(context, "http://localhost:3000/hello.txt", "TE: trailers\r\n");
  CHECK(answer.body == "hello");
  CHECK(answer.trailers == "x-end: yes\r\n");
  CHECK(proxy.get(context, "http://localhost:3000/none").status == 404);
  server.stop();
}

TEST_CASE("interop: 1,000 requests at once, of many clients and contexts, share one upstream connection") {
  const std::int64_t clients = 10, streams = scaled(100), all = clients * streams;
  Workspace workspace(kHttp2);
  Proxy proxy({"--threads", "1"}, &workspace);
  // One stream that nobody reads: its window fills up, and the others must not notice.
  const Context stalled = proxy.routed();
  Client slow;
  slow.receive_buffer(4096);
  slow.connect(proxy.port());
  slow.send(request_text("GET", "http://localhost:3000/bytes/100000000", stalled));
  slow.read_until("\r\n\r\n");
  std::vector<std::thread> threads;
  std::vector<Run> runs(static_cast<std::size_t>(clients));
  for (auto& done : runs) {
    const Strings command = {"h2load",
                             "-n",
                             std::to_string(streams),
                             "-c",
                             "2",
                             "-m",
                             std::to_string(streams / 2),
                             "-H",
                             ":authority: localhost:3000",
                             "-H",
                             "proxy-authorization: " + authorization(proxy.routed()),
                             on("http", proxy, e2e::slow() ? "/slow?head=8000" : "/slow?head=2000")};
    threads.emplace_back([&done, command] { done = run(command); });
  }
  for (auto& thread : threads) thread.join();
  for (const Run& done : runs) check_load(done, streams);
  CHECK(counter(workspace, "h2") == 1);
  CHECK(counter(workspace, "streams") == all + 1);
  CHECK(counter(workspace, "mostStreams") == all + 1);
  slow.close();
}

}  // namespace e2e
