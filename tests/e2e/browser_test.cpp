// browser: a window whose localhost is the workspace's; Debian's Chromium without its window.
#include "run_user.hpp"

using namespace e2e;
namespace fs = std::filesystem;

namespace {

struct Browser : User {
  Strings all(const Strings& flags, const Strings& arguments) const {
    Strings out{binary(), "browser"};
    out.insert(out.end(), flags.begin(), flags.end());
    out.emplace_back("--");
    out.insert(out.end(), arguments.begin(), arguments.end());
    return out;
  }
  Run browse(const Strings& flags, const Strings& arguments = {}) const {
    return e2e::run(all(flags, arguments), environment, {}, 120s);
  }
  // A browser that says how it was called, and waits until it is ended.
  std::string fake(std::string_view script = "exec sleep 300") const {
    const std::string path = folder / "fake-browser";
    write_file(path, fmt::format("#!/bin/sh\nprintf '%s\\n' \"$*\"\n{}\n", script));
    fs::permissions(path, fs::perms::owner_all);
    return path;
  }
  bool no_profile_is_left() const {
    return eventually([&] { return !fs::exists(state + "/browser") || fs::is_empty(state + "/browser"); });
  }
};

}  // namespace

TEST_CASE("browser: Chromium shows the workspace at the localhost of --from-url, over HTTP/2; nothing is left") {
  const char* const named = std::getenv("CMUX_CHROMIUM");
  Browser user;
  Strings flags = kFromUrl;
  if (named) flags.insert(flags.end(), {"--browser", named});
  const Run done = user.browse(flags, {"--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"});
  INFO(done.out << done.err);
  CHECK(done.exit == 0);
  CHECK(contains(done.out, "workspace abc scope base port 3000"));
  CHECK(user.nothing_is_left());
  CHECK(user.no_profile_is_left());
}

TEST_CASE("browser: how it is called: a secure proxy of its own, the profile, what follows --, and the URL") {
  Browser user;
  Strings flags{"--from-url", "https://cmux-abc-base-8080.cmux.test", "--profile", "mine", "--browser", user.fake("exit 7")};
  const Run done = user.browse(flags, {"--one", "--two"});
  INFO(done.out << done.err);
  CHECK(done.exit == 7);
  CHECK(contains(done.out, "--user-data-dir=" + user.state + "/browser/mine "));
  CHECK(contains(done.out, "--proxy-server=https://127.0.0.1:"));
  CHECK(contains(done.out, "--proxy-bypass-list=<-loopback> --ignore-certificate-errors-spki-list="));
  CHECK(contains(done.out, " --one --two http://localhost:8080/\n"));
  CHECK(fs::exists(user.state + "/browser/mine"));  // is kept
  flags.insert(flags.end(), {"http://localhost:3000/page"});
  CHECK(contains(user.browse(flags).out, " http://localhost:3000/page\n"));
  CHECK(user.nothing_is_left());
}

TEST_CASE("browser: a profile is one browser's at a time; others are refused, and it is free again after a SIGKILL") {
  Browser user;
  Strings flags = kFromUrl;
  flags.insert(flags.end(), {"--profile", "mine", "--browser", user.fake()});
  Process first;
  first.start(user.all(flags, {}), user.environment);
  REQUIRE(contains(first.read_line(), "/browser/mine"));
  const Run second = user.browse(flags);
  CHECK(second.exit == 1);
  CHECK(contains(second.err, "another browser has the profile 'mine' open"));
  first.stop(SIGKILL);
  CHECK(user.nothing_is_left());
  flags.back() = user.fake("exit 0");
  CHECK(eventually([&] { return user.browse(flags).exit == 0; }));
}

TEST_CASE("browser: it ends with the command, by a signal as by SIGKILL, and its profile goes") {
  const int signal = GENERATE(SIGINT, SIGTERM, SIGKILL);
  Browser user;
  Strings flags = kFromUrl;
  flags.insert(flags.end(), {"--browser", user.fake("echo $$; sleep 300; :")});
  Process command;
  command.start(user.all(flags, {}), user.environment);
  REQUIRE(contains(command.read_line(), "--user-data-dir=" + user.state + "/browser/."));
  const pid_t browser = std::stoi(command.read_line());
  CHECK(command.stop(signal) == -signal);
  CHECK(eventually([&] { return !runs(browser); }));
  CHECK(user.nothing_is_left());
  CHECK(user.no_profile_is_left());
}

TEST_CASE("browser: what cannot be: no such browser 127, no URL 2, bad names 2; nothing is left") {
  Browser user;
  const Run missing = user.browse({"--browser", "/no/such/browser", kFromUrl[0], kFromUrl[1]});
  CHECK(missing.exit == 127);
  CHECK(contains(missing.err, "'/no/such/browser' is no program"));
  Strings environment = user.environment;
  environment.push_back("PATH=" + user.folder.path);
  const Run nowhere = run(user.all(kFromUrl, {}), environment);
  if (!fs::exists("/opt/google/chrome/chrome") && !fs::exists("/snap/bin/chromium")) {
    CHECK(nowhere.exit == 127);
    CHECK(contains(nowhere.err, "looked in PATH for google-chrome-stable, "));
  }
  CHECK(user.browse({"--morph-id", "abc", "--scope", "base", "--domain-suffix", "cmux.test"}).exit == 2);
  CHECK(user.browse({"--profile", "../up", kFromUrl[0], kFromUrl[1], "--browser", user.fake()}).exit == 2);
  CHECK(user.browse({"--profile", "", kFromUrl[0], kFromUrl[1]}).exit == 2);
  CHECK(user.browse({"--from-url", "https://example.org/", "--browser", user.fake()}).exit == 2);
  for (const char* const url :
       {"javascript:alert(1)", "file:///etc/passwd", "data:text/html,x", "chrome://settings", "localhost:3000", "//localhost",
        "http:///x", "https://", " http://localhost:3000", "view-source:http://localhost"}) {
    INFO(url);
    const Run refused = user.browse({kFromUrl[0], kFromUrl[1], "--browser", user.fake("exit 0"), url});
    CHECK(refused.exit == 2);
    CHECK(contains(refused.err, "expected http://"));
    CHECK(refused.out.empty());
  }
  CHECK(user.nothing_is_left());
  CHECK(user.no_profile_is_left());
}
