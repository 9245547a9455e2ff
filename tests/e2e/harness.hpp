// What the end-to-end tests stand on: the real binary and the fixtures as child processes, and a raw TCP client. What goes wrong
// below a test (a timeout, a program that does not start) FAILs it with what was seen until then. Use from one thread only:
// Catch's assertions are not made for more.
#pragma once

#include <sys/types.h>

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace e2e {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using Strings = std::vector<std::string>;

constexpr milliseconds kPatience{30'000};  // nothing here takes as long, on the slowest machine under the slowest sanitizer

const std::string& binary();                    // cmuxproxy
std::string fixture(std::string_view name);     // the path of a fixture program
std::string source(std::string_view relative);  // a path in the repository
const std::string& pki();                       // a folder with the files of fixtures/certs.sh, made once a run
bool eventually(const std::function<bool()>& predicate, milliseconds limit = kPatience);  // asks every 20 ms
std::string base64(std::string_view bytes);
std::string read_file(const std::string& path);
void write_file(const std::string& path, std::string_view text);

struct TempDir {
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  std::string operator/(std::string_view name) const { return path + "/" + std::string(name); }
  std::string path;
};

// A child process with the environment of the tests, without *_proxy and CMUXPROXY_* variables, and with `environment`
// ("NAME=value") on top. Standard error goes to a file in memory.
class Process {
 public:
  enum class Stdin { none, pipe };

  Process() = default;
  ~Process();  // SIGKILL, where it still runs
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // `error`: what standard error is instead; it stays the caller's.
  void start(const Strings& argv, const Strings& environment = {}, Stdin input = Stdin::none, int error = -1);
  pid_t pid() const { return pid_; }
  bool running();
  std::string read_line(milliseconds timeout = kPatience);  // of standard output, without the line end
  // The exit status: the code, or minus the signal that ended it.
  int wait(milliseconds timeout = kPatience);
  int stop(int signal = SIGTERM, milliseconds timeout = kPatience);
  void signal(int number);
  void close_stdin();
  std::string stderr_text() const;

  std::size_t fds() const;  // open descriptors
  // Memory of its own now. What it shares with others of its kind would change with their number.
  std::size_t anonymous_kb() const;
  std::size_t peak_kb() const;  // the most resident memory so far

 private:
  bool reap(bool wait_for_it);

  pid_t pid_ = -1;
  bool ended_ = false;
  int status_ = 0;
  int stdin_ = -1, stdout_ = -1, stderr_ = -1;
  std::string name_, out_;
};

struct Run {
  int exit = 0;
  std::string out, err;
  boost::json::value json() const;  // of `out`; FAILs where it is none
};
// Runs to its end. Nothing of what it prints is lost, however long.
Run run(const Strings& argv, const Strings& environment = {}, std::string_view input = {}, milliseconds timeout = 60s);

struct Response {
  int status = 0;
  std::string head;  // from the status line to the empty line
  std::string body;
  bool chunked = false;
  std::string trailers;  // the lines after the last chunk

  std::string header(std::string_view name) const;  // the first of that name; empty where there is none
  Strings headers(std::string_view name) const;     // all of that name, in order
  bool has(std::string_view name) const { return !headers(name).empty(); }
  boost::json::object json() const;  // of the body; FAILs where it is none
};

// One HTTP/1 response out of a connection's bytes, by Boost.Beast; what is none FAILs.
class ResponseReader {
 public:
  class Parser;
  explicit ResponseReader(std::string_view method = "GET");  // the request's: HEAD and CONNECT change where a response ends
  ~ResponseReader();

  std::size_t put(std::string_view bytes);  // how many of them were taken; the others come again, with more behind them
  bool has_head() const;
  bool done() const;
  bool end();            // the connection has ended: does that complete it?
  Response& response();  // as far as it has come; its body may be taken out

 private:
  std::unique_ptr<Parser> parser_;
};

// Asks a server on 127.0.0.1, on a connection of its own, by Boost.Beast. A field line ("Name: value") replaces those of its name
// before it.
Response ask(std::uint16_t port, std::string_view method, std::string_view target, const Strings& fields = {},
             std::string_view body = {});

// What carries a Client's bytes where that is no TCP socket of its own: TLS, or a stream of an HTTP/2 connection. Its end is the
// connection's.
class Wire {
 public:
  using Time = std::chrono::steady_clock::time_point;
  enum class Fill { bytes, end, reset, timeout };

  virtual ~Wire() = default;
  virtual Fill read(std::string& into, Time deadline) = 0;  // appends
  virtual bool send(std::string_view bytes) = 0;            // false where the peer takes no more
  virtual void half_close() = 0;
  virtual void abort() = 0;
};

// A TCP connection to 127.0.0.1, or what a Wire makes of one, that sends and shows bytes as they are.
class Client {
 public:
  Client() = default;
  explicit Client(std::uint16_t port) { connect(port); }
  explicit Client(std::unique_ptr<Wire> wire) : wire_(std::move(wire)) {}
  ~Client() { close(); }
  Client(Client&& other) noexcept;
  Client& operator=(Client&& other) noexcept;

  void receive_buffer(int bytes) { receive_buffer_ = bytes; }  // before connect(): the kernel's buffers
  void send_buffer(int bytes) { send_buffer_ = bytes; }
  void connect(std::uint16_t port);
  // False where the peer has closed or reset the connection; what it said before can still be read.
  bool send(std::string_view text);
  std::string read_until(std::string_view text, milliseconds timeout = kPatience);  // with it
  std::string read_exactly(std::size_t count, milliseconds timeout = kPatience);
  std::string read_some(milliseconds timeout = kPatience);  // what is there, or comes first; empty at the end
  // One response, an interim one too. `method` is the request's, since HEAD and CONNECT change where a response ends.
  Response read_response(std::string_view method = "GET", milliseconds timeout = kPatience);
  Response ask(std::string_view request, std::string_view method = "GET");  // send, read_response
  std::string read_all_until_close(milliseconds timeout = kPatience);
  bool closed_by_peer(milliseconds timeout = kPatience);  // by FIN or RST; bytes that come first stay readable
  bool was_reset() const { return reset_; }
  bool silent(milliseconds time);  // nothing arrives in that time, no end either
  void half_close();
  void abort();  // RST
  void close();
  int fd() const { return fd_; }
  int release();  // gives the socket away; what has arrived must have been read

 private:
  enum class Fill { bytes, end, timeout };
  Fill fill(std::chrono::steady_clock::time_point deadline);
  void need(std::chrono::steady_clock::time_point deadline, std::string_view what);  // more bytes, or FAIL
  void fail(Fill got, std::string_view what);
  std::string take(std::size_t count);

  int fd_ = -1;
  std::unique_ptr<Wire> wire_;  // in place of fd_
  int receive_buffer_ = 0, send_buffer_ = 0;
  bool ended_ = false, reset_ = false;
  std::string buffer_;
};

// fixtures/fake-workspace. `cert` is srv, expired, wrongname, cnonly or selfsigned (of pki()), or a path without its ending.
class Workspace {
 public:
  explicit Workspace(const Strings& options = {}, std::string_view cert = "srv");
  std::uint16_t http_port() const { return http_; }
  std::uint16_t https_port() const { return https_; }
  boost::json::object get(std::string_view path) const;  // asks it directly: "/connections", "/aborted", "/last-connect"
  std::int64_t requests() const;                         // that it has seen, but those of this class
  std::int64_t malformed() const;
  Process& process() { return process_; }

 private:
  Process process_;
  std::uint16_t http_ = 0, https_ = 0;
  mutable std::int64_t own_requests_ = 0;
};

// A fixture program with one port.
class PortServer {
 public:
  PortServer(std::string_view program, const Strings& options);
  std::uint16_t port() const { return port_; }
  Process& process() { return process_; }

 private:
  Process process_;
  std::uint16_t port_ = 0;
};

// fixtures/raw-server: speaks first, then echoes.
struct RawServer : PortServer {
  explicit RawServer(const Strings& options = {}) : PortServer("raw-server", options) {}
};

// fixtures/oauth-provider: knows the client "app", whose secret is "secret".
struct OauthProvider : PortServer {
  explicit OauthProvider(const Strings& options = {}) : PortServer("oauth-provider", options) {}
};

struct Context {
  std::string id, username, password, proxy_url;
  boost::json::object json;       // as `ctx create --json` printed it
  std::string auth_line() const;  // "Proxy-Authorization: Basic …\r\n"
};

// A running `cmuxproxy serve`. With a workspace, *.cmux.test and *.http.cloud.morph.test are there, and its CA is trusted.
// `extra` come first, so that their --resolve win. $CMUX_E2E_THREADS sets --threads. At its end it is stopped, and must exit with
// 0. `error`: as of Process::start().
class Proxy {
 public:
  explicit Proxy(const Strings& extra = {}, const Workspace* workspace = nullptr, int error = -1);
  ~Proxy();
  std::uint16_t port() const { return port_; }
  std::uint16_t admin_port() const { return admin_port_; }
  Process& process() { return process_; }
  Client connect() const { return Client(port_); }
  const Strings& environment() const { return environment_; }  // of its instance, for run()
  std::string instance_path() const;                           // of the instance file
  Run cli(Strings args, std::string_view input = {}) const;    // cmuxproxy args… --instance NAME
  Context context(const Strings& route_flags = {}) const;      // ctx create --json
  Context routed() const { return context({"--morph-id", "abc", "--scope", "base", "--domain-suffix", "cmux.test"}); }
  // Through the proxy, on a connection of its own. `fields` are whole lines with their ends.
  Response get(const Context& context, std::string_view url, std::string_view fields = {}) const;
  // On the admin port. Headers ("Name: value") replace Host, Authorization and Content-Type where they name them.
  Response api(std::string_view method, std::string_view path, std::string_view body = {}, const Strings& headers = {},
               bool with_token = true) const;

  boost::json::object ready;
  std::string admin, token, instance;  // admin: the URL
  TempDir home;                        // holds runtime/, state/ and everything else it writes

 private:
  Process process_;
  Strings environment_;
  std::uint16_t port_ = 0, admin_port_ = 0;
};

}  // namespace e2e
