#include "admin/instance_file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

using namespace cmux;
using namespace cmux::admin;

namespace {

// A runtime directory of its own, for as long as it lives.
class RuntimeDirectory {
 public:
  RuntimeDirectory() {
    char name[] = "/tmp/cmux-unit-XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    base_ = name;
    setenv("CMUXPROXY_RUNTIME_DIR", path().c_str(), 1);
  }
  ~RuntimeDirectory() {
    unsetenv("CMUXPROXY_RUNTIME_DIR");
    std::filesystem::remove_all(base_);
  }
  std::string path() const { return base_ + "/a/run"; }
  std::string file(const std::string& name) const { return path() + "/" + name; }
  void put(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(path());
    std::ofstream(file(name)) << text;
  }

 private:
  std::string base_;
};

mode_t mode_of(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 ? status.st_mode & 0777 : 0;
}

InstanceRecord record_of(pid_t pid) { return {"default", pid, "127.0.0.1:39385", "http://127.0.0.1:40001", "s3cret"}; }

}  // namespace

TEST_CASE("an instance is found while it runs, and gone afterwards") {
  const RuntimeDirectory directory;
  CHECK(read_instance("default").error().code == Errc::closed);
  {
    auto file = InstanceFile::claim("default");
    REQUIRE(file.has_value());
    CHECK(read_instance("default").error().code == Errc::closed);
    REQUIRE(file->write(record_of(getpid())).has_value());
    CHECK(mode_of(directory.path()) == 0700);
    CHECK(mode_of(directory.file("default.json")) == 0600);
    const auto read = read_instance("default");
    REQUIRE(read.has_value());
    CHECK(read->name == "default");
    CHECK(read->pid == getpid());
    CHECK(read->proxy == "127.0.0.1:39385");
    CHECK(read->admin == "http://127.0.0.1:40001");
    CHECK(read->token == "s3cret");

    const auto second = InstanceFile::claim("default");
    REQUIRE(second.has_error());
    CHECK(second.error().code == Errc::limit);
    CHECK(second.error().detail.find(std::to_string(getpid())) != std::string::npos);
    CHECK(read_instance("default").has_value());
    CHECK(InstanceFile::claim("other").has_value());

    const InstanceFile moved = std::move(*file);
    CHECK(read_instance("default").has_value());
  }
  CHECK(std::filesystem::is_empty(directory.path()));
  CHECK(InstanceFile::claim("default").has_value());
}

TEST_CASE("a stale file is seen as such, and replaced") {
  const RuntimeDirectory directory;
  directory.put("default.json", R"({"pid":2147483646,"proxy":"127.0.0.1:1","admin":"http://127.0.0.1:2","token":"t"})");
  directory.put("default.lock", "");
  const auto stale = read_instance("default");
  REQUIRE(stale.has_error());
  CHECK(stale.error().code == Errc::closed);
  auto file = InstanceFile::claim("default");
  REQUIRE(file.has_value());
  REQUIRE(file->write(record_of(getpid())).has_value());
  CHECK(read_instance("default")->pid == getpid());
}

TEST_CASE("files that are no instance files are refused") {
  const RuntimeDirectory directory;
  for (const char* text :
       {"", "{", "[]", "{}", R"({"pid":1})", R"({"pid":0,"proxy":"a","admin":"b","token":"c"})",
        R"({"pid":"1","proxy":"a","admin":"b","token":"c"})", R"({"pid":1,"proxy":"a","admin":"b","token":""})"}) {
    CAPTURE(text);
    directory.put("default.json", text);
    CHECK(read_instance("default").error().code == Errc::config);
  }
  directory.put("default.json", std::string(100'000, ' '));
  CHECK(read_instance("default").error().code == Errc::config);
}

TEST_CASE("a runtime directory that cannot be made says so") {
  const RuntimeDirectory directory;
  std::filesystem::create_directories(std::filesystem::path(directory.path()).parent_path());
  std::ofstream(directory.path()) << "a file";
  const auto file = InstanceFile::claim("default");
  REQUIRE(file.has_error());
  CHECK(file.error().detail.find(directory.path()) != std::string::npos);
}

TEST_CASE("names of instances") {
  for (const char* name : {"default", "a", "A-1_b.c", "0"}) CHECK(check_instance_name(name).has_value());
  for (const std::string& name : {std::string(), std::string(".hidden"), std::string(".."), std::string("a/b"),
                                  std::string("a b"), std::string("ä"), std::string(65, 'a')}) {
    CAPTURE(name);
    CHECK(check_instance_name(name).has_error());
    CHECK(InstanceFile::claim(name).has_error());
    CHECK(read_instance(name).has_error());
  }
}

TEST_CASE("a stale file is none, even where its pid belongs to somebody else by now") {
  const RuntimeDirectory directory;
  directory.put("default.json",
                R"({"pid":)" + std::to_string(getpid()) + R"(,"proxy":"127.0.0.1:1","admin":"http://127.0.0.1:2","token":"t"})");
  const auto stale = read_instance("default");
  REQUIRE(stale.has_error());
  CHECK(stale.error().code == Errc::closed);
  // Nor while the next instance starts, which has the name already and has not written yet.
  const auto next = InstanceFile::claim("default");
  REQUIRE(next.has_value());
  CHECK(read_instance("default").has_error());
}

TEST_CASE("an instance file that was moved away and put back is no proof") {
  const RuntimeDirectory directory;
  std::string text;
  {
    auto file = InstanceFile::claim("default");
    REQUIRE(file.has_value());
    REQUIRE(file->write(record_of(getpid())).has_value());
    std::ifstream in(directory.file("default.json"));
    std::getline(in, text);
  }
  directory.put("default.json", text);
  CHECK(read_instance("default").error().code == Errc::closed);
}

TEST_CASE("a runtime directory that others may write to is refused") {
  const RuntimeDirectory directory;
  std::optional<InstanceFile> file;
  {
    auto claimed = InstanceFile::claim("default");
    REQUIRE(claimed.has_value());
    file.emplace(std::move(*claimed));
  }
  REQUIRE(file->write(record_of(getpid())).has_value());
  for (const mode_t mode : {0777, 0770, 0702, 01777}) {
    CAPTURE(mode);
    REQUIRE(chmod(directory.path().c_str(), mode) == 0);
    for (const Error& error : {read_instance("default").error(), InstanceFile::claim("other").error()}) {
      CHECK(error.code == Errc::config);
      CHECK(error.detail.find(directory.path()) != std::string::npos);
      CHECK(error.detail.find("chmod") != std::string::npos);
    }
  }
  REQUIRE(chmod(directory.path().c_str(), 0755) == 0);
  CHECK(read_instance("default").has_value());
  if (geteuid() != 0) return;
  REQUIRE(chown(directory.path().c_str(), 65534, 65534) == 0);
  CHECK(read_instance("default").error().code == Errc::config);
  CHECK(InstanceFile::claim("other").error().code == Errc::config);
}

TEST_CASE("an instance file is no symbolic link") {
  const RuntimeDirectory directory;
  auto file = InstanceFile::claim("real");
  REQUIRE(file.has_value());
  REQUIRE(file->write(record_of(getpid())).has_value());
  REQUIRE(symlink(directory.file("real.json").c_str(), directory.file("default.json").c_str()) == 0);
  CHECK(read_instance("default").error().code == Errc::config);
}

TEST_CASE("the runtime directory and its parents are private under any umask") {
  const RuntimeDirectory directory;
  const mode_t before = umask(0);
  const auto file = InstanceFile::claim("default");
  umask(before);
  REQUIRE(file.has_value());
  CHECK(mode_of(directory.path()) == 0700);
  CHECK(mode_of(std::filesystem::path(directory.path()).parent_path()) == 0700);
}
