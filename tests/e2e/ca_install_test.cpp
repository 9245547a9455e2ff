// ca install and uninstall: with the real tools, on stores that are the test's own.
#include <filesystem>

#include "schema.hpp"

namespace e2e {
namespace {

namespace fs = std::filesystem;

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// A home with an NSS database, and a Java with a key store; the system's store is left alone (--store).
struct Stores {
  TempDir home;
  std::string nss = home / ".pki/nssdb", java = home / "java", keys = home / "java/lib/security/cacerts";
  Strings environment{"HOME=" + home.path, "XDG_STATE_HOME=", "CMUXPROXY_STATE_DIR=" + (home / "state"), "JAVA_HOME=" + java};

  Stores() {
    fs::create_directories(nss);
    REQUIRE(run({"certutil", "-N", "-d", "sql:" + nss, "--empty-password"}).exit == 0);
    fs::create_directories(java + "/lib/security");
    fs::create_directories(java + "/bin");
    const Run keytool = run({"sh", "-c", "readlink -f \"$(command -v keytool)\""});
    fs::create_symlink(keytool.out.substr(0, keytool.out.find('\n')), java + "/bin/keytool");
    // One that has another root already.
    REQUIRE(run({"keytool", "-importcert", "-noprompt", "-file", pki() + "/ca.crt", "-keystore", keys, "-storepass", "changeit",
                 "-alias", "another"})
                .exit == 0);
  }
  Run ca(const Strings& arguments, const Strings& more = {}) const {
    Strings command{binary(), "ca"}, all = environment;
    command.insert(command.end(), arguments.begin(), arguments.end());
    for (const char* kind : {"nss", "java"})
      if (arguments.front().ends_with("install")) command.insert(command.end(), {"--store", kind});
    all.insert(all.end(), more.begin(), more.end());
    return run(command, all);
  }
  std::string in_nss() const { return run({"certutil", "-L", "-d", "sql:" + nss}).out; }
  std::string in_java() const { return run({"keytool", "-list", "-keystore", keys, "-storepass", "changeit"}).out; }
};

}  // namespace

TEST_CASE("ca install: NSS and Java by their own tools; twice is no harm; uninstall takes out that and nothing else") {
  const Stores stores;
  const std::string nss_before = stores.in_nss();
  const Run first = stores.ca({"install", "--json"});
  INFO(first.out << first.err);
  REQUIRE(first.exit == 0);
  fits("cli.schema.yaml#/ca-install", first.out);
  const auto rows = first.json().at("stores").as_array();
  REQUIRE(rows.size() == 2);
  for (const auto& row : rows) CHECK(row.at("result").as_string() == "installed");
  CHECK(has(stores.in_nss(), "cmuxproxy-"));
  CHECK(has(stores.in_nss(), "C,,"));
  CHECK(has(stores.in_java(), "cmuxproxy-"));

  const Run second = stores.ca({"install"});
  CHECK(second.exit == 0);
  CHECK(has(second.out, "already"));

  const Run out = stores.ca({"uninstall", "--json"});
  INFO(out.out << out.err);
  CHECK(out.exit == 0);
  fits("cli.schema.yaml#/ca-uninstall", out.out);
  CHECK(stores.in_nss() == nss_before);
  CHECK_FALSE(has(stores.in_java(), "cmuxproxy-"));
  CHECK(has(stores.in_java(), "another"));
  const Run again = stores.ca({"uninstall"});
  CHECK(again.exit == 0);
  CHECK(has(again.err, "nothing to remove"));
}

TEST_CASE("ca uninstall: the CA before the last one goes, too") {
  const Stores stores;
  REQUIRE(stores.ca({"install"}).exit == 0);
  fs::rename(stores.home / "state/ca.crt", stores.home / "state/ca.crt.old");
  fs::remove(stores.home / "state/ca.key");
  REQUIRE(stores.ca({"install"}).exit == 0);
  CHECK(stores.ca({"uninstall"}).exit == 0);
  CHECK_FALSE(has(stores.in_nss(), "cmuxproxy-"));
  CHECK_FALSE(has(stores.in_java(), "cmuxproxy-"));
}

TEST_CASE("ca install: a foreign certificate of the same name stays, and is an error") {
  const Stores stores;
  REQUIRE(stores.ca({"install"}).exit == 0);
  const std::string listed = stores.in_nss();
  const std::size_t at = listed.find("cmuxproxy-");
  const std::string name = listed.substr(at, listed.find(' ', at) - at);
  REQUIRE(stores.ca({"uninstall"}).exit == 0);
  REQUIRE(run({"certutil", "-A", "-d", "sql:" + stores.nss, "-t", "C,,", "-n", name, "-i", pki() + "/ca.crt"}).exit == 0);
  const Run refused = stores.ca({"install"});
  CHECK(refused.exit == 1);
  CHECK(has(refused.out, "foreign"));
  CHECK(stores.ca({"uninstall"}).exit == 0);
  CHECK(has(stores.in_nss(), name));
}

TEST_CASE("ca install: what is missing is named") {
  const Stores stores;
  fs::remove(stores.java + "/bin/keytool");
  const Run no_tool = stores.ca({"install"});
  CHECK(no_tool.exit == 1);
  CHECK(has(no_tool.out, "missing-tool: it takes " + stores.java + "/bin/keytool"));
  const TempDir empty;
  const Run nothing = run({binary(), "ca", "install", "--store", "nss"}, {"HOME=" + empty.path, "XDG_STATE_HOME="});
  CHECK(nothing.exit == 1);
  CHECK(has(nothing.err, "ca install-hint"));
}

TEST_CASE("ca install: the system's store, in a mount namespace: put there, kept from others, and taken out") {
  // With copies of what would be changed, which nobody outside sees.
  const TempDir home;
  const std::string script = R"sh(
set -eu
for folder in /usr/local/share/ca-certificates /etc/ssl/certs; do
  mkdir -p $HOME/copy$folder
  cp -a $folder/. $HOME/copy$folder 2>/dev/null || true
  mount --bind $HOME/copy$folder $folder
done
before=$(ls /etc/ssl/certs | sort | sha256sum)
"$CMUX" ca install --store system
"$CMUX" ca install --store system | grep -q already
openssl verify -CAfile /etc/ssl/certs/ca-certificates.crt "$("$CMUX" ca path)"
printf 'other' > /usr/local/share/ca-certificates/"$(ls /usr/local/share/ca-certificates | grep '^cmuxproxy-')"
! "$CMUX" ca install --store system > said || exit 9
grep -q foreign said
rm -f /usr/local/share/ca-certificates/cmuxproxy-*
update-ca-certificates --fresh > /dev/null 2>&1
"$CMUX" ca install --store system
"$CMUX" ca uninstall --store system
test "$before" = "$(ls /etc/ssl/certs | sort | sha256sum)"
)sh";
  Strings command{"unshare", "--mount"};
  if (geteuid() != 0) command.insert(command.end(), {"--user", "--map-root-user"});
  command.insert(command.end(), {"sh", "-c", "cd \"$HOME\"\n" + script});
  const Run done = run(command, {"HOME=" + home.path, "XDG_STATE_HOME=", "CMUX=" + binary()}, {}, 120s);
  INFO(done.out << done.err);
  CHECK(done.exit == 0);
}

TEST_CASE("ca install: without rights the commands are shown and agreed to, and go to sudo") {
  const TempDir home;
  fs::permissions(home.path, fs::perms::all);
  fs::create_directory(home / "bin");
  write_file(home / "bin/sudo", "#!/bin/sh\necho \"$*\" >> \"$HOME/asked\"\n");
  fs::permissions(home / "bin/sudo", fs::perms::all);
  const auto install = [&](const std::string& path, const Strings& more) {
    Strings command;
    if (geteuid() == 0) command = {"/usr/bin/setpriv", "--reuid", "65534", "--clear-groups"};
    command.insert(command.end(), {binary(), "ca", "install", "--store", "system"});
    command.insert(command.end(), more.begin(), more.end());
    return run(command, {"HOME=" + home.path, "XDG_STATE_HOME=", "PATH=" + path});
  };
  const Run no_sudo = install("/nonexistent", {"--yes"});
  CHECK(no_sudo.exit == 1);
  CHECK(has(no_sudo.out, "not-allowed: it takes root, and there is no sudo; as root:"));
  CHECK(has(no_sudo.out, "/usr/local/share/ca-certificates/cmuxproxy-"));
  const Run not_agreed = install(home / "bin", {});
  CHECK(not_agreed.exit == 1);
  CHECK(has(not_agreed.err, "  sudo install -m 0644 "));
  CHECK(has(not_agreed.out, "--yes agrees"));
  CHECK_FALSE(fs::exists(home / "asked"));
  const Run agreed = install((home / "bin") + ":/bin:/usr/bin", {"--yes"});
  CHECK(agreed.exit == 1);  // this sudo does nothing, which is noticed
  CHECK(has(agreed.out, "it is not there, though no command failed"));
  CHECK(has(read_file(home / "asked"), "update-ca-certificates"));
}

TEST_CASE("ca install: what root runs is the system's, whatever PATH and JAVA_HOME say") {
  Stores stores;
  const std::string mark = stores.home / "mark";
  const auto trap = [&](const std::string& path) {
    fs::remove(path);
    write_file(path, fmt::format("#!/bin/sh\ntouch {}\nexit 1\n", mark));
    fs::permissions(path, fs::perms::owner_all);
  };
  fs::create_directory(stores.home / "bin");
  for (const char* const name : {"certutil", "keytool", "java", "install", "rm", "update-ca-certificates", "openssl"})
    trap(stores.home / "bin/" + name);
  // Root, as far as these files are concerned, with rights of its own alone.
  const auto as_root = [&](const Strings& kinds, const Strings& more) {
    Strings command{"unshare", "--mount"}, environment = stores.environment;
    if (geteuid() != 0) command.insert(command.end(), {"--user", "--map-root-user"});
    command.insert(command.end(), {binary(), "ca", "install"});
    for (const std::string& kind : kinds) command.insert(command.end(), {"--store", kind});
    environment.insert(environment.end(), more.begin(), more.end());
    return run(command, environment);
  };
  const std::string path = fmt::format("PATH={}:{}", stores.home / "bin", std::getenv("PATH"));
  const Run nss = as_root({"nss"}, {path});
  INFO(nss.out << nss.err);
  CHECK(nss.exit == 0);
  CHECK(has(stores.in_nss(), "cmuxproxy-"));

  // A Java that anybody could change, and one that is named from where one is.
  trap(stores.java + "/bin/keytool");
  fs::permissions(stores.java + "/bin", fs::perms::all);
  const Run java = as_root({"java"}, {path});
  INFO(java.out << java.err);
  CHECK(java.exit == 1);
  CHECK(has(java.out, "a Java that root alone can change"));
  const Run relative = as_root({"java"}, {path, "JAVA_HOME=java"});
  CHECK(relative.exit == 1);
  CHECK(has(relative.err, "no store was found"));
  CHECK_FALSE(fs::exists(mark));
}

TEST_CASE("ca bundle: the system's roots and ours, by which both are verified") {
  const TempDir home;
  const Strings environment{"HOME=" + home.path, "XDG_STATE_HOME="};
  const Run bundle = run({binary(), "ca", "bundle"}, environment);
  REQUIRE(bundle.exit == 0);
  const std::string ours = run({binary(), "ca", "pem"}, environment).out;
  CHECK(bundle.out.ends_with(ours));
  CHECK(bundle.out.size() > ours.size());
  CHECK(run({binary(), "ca", "bundle", "--json"}, environment).json().at("bundle").as_string() == bundle.out);
}

}  // namespace e2e
