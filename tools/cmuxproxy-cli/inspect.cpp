// inspect: the inspector's page in the browser; or what it holds, as HAR or as lines of JSON.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "base/log.hpp"
#include "command.hpp"
#include "route_flags.hpp"

namespace cmux::cli {
namespace {

struct Options : Common {
  std::string har, context;
  bool print = false;
};

// A file that nobody else can read.
class PrivateFile {
 public:
  explicit PrivateFile(const std::string& path) : path_(path) {
    unlink(path.c_str());
    fd_ = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd_ < 0) fail();
  }
  ~PrivateFile() { close(fd_); }
  PrivateFile(const PrivateFile&) = delete;
  void write(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t count = ::write(fd_, bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail();
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
  }

 private:
  [[noreturn]] void fail() const { throw Exit{kFailed, fmt::format("{}: {}", path_, std::strerror(errno))}; }
  const std::string path_;
  int fd_ = -1;
};

std::string with_context(std::string path, const std::string& context) {
  return context.empty() ? path : fmt::format("{}?context={}", path, context);
}

void check_context(const std::string& context) {
  if (context.empty()) return;
  if (context.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != std::string::npos)
    throw Exit{kNoContext, fmt::format("there is no context '{}'", log::printable(context))};
}

int save_har(const Options& options, const admin::Client& client) {
  const std::string path = with_context("/v1/har", options.context);
  const bool to_stdout = options.har == "-";
  const std::string part = options.har + ".part";
  std::optional<PrivateFile> file;
  if (!to_stdout) file.emplace(part);
  std::optional<Exit> failed;
  const auto take = [&](std::string_view bytes) {
    try {
      if (file) file->write(bytes);
      else print(bytes);
    } catch (const Exit& exit) { failed = exit; }
    return !failed;
  };
  const auto answer = client.fetch(path, take);
  if (failed || !answer || !answer->ok()) {
    if (file) unlink(part.c_str());
    if (failed) throw *failed;
    expect(client, answer);
    throw Exit{kFailed, "the answer is none"};
  }
  if (file && std::rename(part.c_str(), options.har.c_str()) != 0)
    throw Exit{kFailed, fmt::format("{}: {}", options.har, std::strerror(errno))};
  return kOk;
}

class Stream {
 public:
  Stream(const Options& options, const admin::Client& client) : options_(options), events_(client.instance()) {}
  int run() {
    loop_.run(follow());
    if (failed_) throw *failed_;
    print_note("cmuxproxy: the instance has ended");
    return kOk;
  }

 private:
  Task<void> follow() {
    auto listening = co_await events_.open("/v1/exchanges/stream");
    if (!listening) {
      failed_ = Exit{kFailed, "the instance's exchanges cannot be read: " + listening.error().detail};
      co_return;
    }
    while (true) {
      auto event = co_await events_.next(kForEver);
      if (!event) co_return;
      json::error_code bad;
      const json::value parsed = json::parse(event->data, bad);
      const json::object* const data = parsed.if_object();
      if (bad || !data) continue;
      if (!options_.context.empty() && text_member(*data, "context") != options_.context) continue;
      json::object document{{"event", event->type}};
      for (const json::key_value_pair& member : *data) document[member.key()] = member.value();
      print_json(document);
      std::fflush(stdout);
    }
  }

  const Options& options_;
  Loop loop_;  // outlives what it serves
  admin::EventStream events_;
  std::optional<Exit> failed_;
};

// The key in the URL is for this user alone, and arguments are for everybody to see: the browser gets it from a file, which leads
// there at once.
std::string page_that_leads_to(const std::string& url, const std::string& instance) {
  const auto folder = admin::runtime_directory();
  if (!folder) throw Exit{kFailed, folder.error().detail};
  const std::string path = fmt::format("{}/{}.inspect.html", *folder, instance);
  const PrivateFile file(path);
  file.write(
      fmt::format("<!doctype html><meta charset=\"utf-8\"><title>cmuxproxy</title>"
                  "<meta http-equiv=\"refresh\" content=\"0; url={0}\"><a href=\"{0}\">the inspector</a>\n",
                  url));
  return path;
}

int open_page(const Options& options, const admin::Client& client) {
  const json::object made = expect(client, client.call("POST", "/v1/inspector/keys"));
  const std::string url = text_member(made, "url");
  if (options.print) {
    print(url + "\n");
    return kOk;
  }
  const std::string opener = !find_program("xdg-open").empty() ? "xdg-open" : !find_program("open").empty() ? "open" : "";
  if (opener.empty() || run_command({opener, page_that_leads_to(url, options.instance)}) != 0)
    throw Exit{kFailed, "no browser could be opened; within a minute, open the URL that this prints: cmuxproxy inspect --print"};
  print_note(
      "cmuxproxy: the inspector opens in the browser; if it does not, open the URL that this prints: cmuxproxy inspect --print");
  return kOk;
}

int inspect(const Options& options) {
  const admin::Client client = connect(options.instance);
  check_context(options.context);
  if (!options.har.empty()) return save_har(options, client);
  if (options.json) return Stream(options, client).run();
  return open_page(options, client);
}

}  // namespace

void add_inspect(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<Options>();
  CLI::App* const command =
      app.add_subcommand("inspect", "what goes through, in the browser: heads, bodies, times; and send it again");
  add_common(*command, *options);
  auto* const har = command->add_option("--har", options->har, "write what is kept as HAR 1.2; - is standard output")
                        ->type_name("FILE")
                        ->check(not_empty());
  auto* const print = command->add_flag("--print", options->print, "print the page's URL, which works once and for a minute");
  command->add_option("--ctx", options->context, "with --har and --json: of this context alone")
      ->type_name("ID")
      ->check(not_empty());
  har->excludes(print);
  command->footer(
      "While the page is open, heads and bodies of what goes through are kept in memory (serve --capture says otherwise,\n"
      "--capture-memory how much). Credentials are hidden: in HAR files always, in the page until you ask. Bodies are as they\n"
      "were. With --json an object a line, whenever an exchange begins, is answered and ends.\n\nExamples:\n"
      "  cmuxproxy inspect\n"
      "  cmuxproxy inspect --har traffic.har\n"
      "  cmuxproxy inspect --json --ctx ctx-0-0123456789abcdef");
  command->callback([options, &chosen] { chosen = [options] { return inspect(*options); }; });
}

}  // namespace cmux::cli
