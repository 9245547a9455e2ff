// What the subcommands share: exit codes, output, the way to the instance. The program is one command and then ends, so errors
// are exceptions here: Exit says the code and what to print.
#pragma once

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/client.hpp"

namespace cmux::cli {

namespace json = boost::json;

enum ExitCode : int { kOk = 0, kFailed = 1, kUsage = 2, kNoInstance = 3, kNoContext = 4, kProbeFailed = 5 };

struct Exit {
  int code;
  std::string message;  // for stderr
};

// What the command line chose; called after it has been read as a whole.
using Action = std::function<int()>;

struct Common {
  std::string instance = "default";
  bool json = false;
};
void add_common(CLI::App& command, Common& common);

// The client of a running instance, or of one that the system's service manager starts when it is asked for. Throws Exit with
// kNoInstance.
enum class MayStart { no, yes };
admin::Client connect(const std::string& instance, MayStart may_start = MayStart::yes);
// The document of an answer that is a success; else throws Exit with the code that fits: 404 is kNoContext.
json::object expect(const admin::Client& client, const Result<admin::Answer>& answer);
// A refused key as its flag: "morphId: is required" becomes "--morph-id: is required".
std::string as_flag(std::string_view detail);

void print(std::string_view text);  // to stdout
void print_json(const json::object& document);
void print_note(std::string_view text);  // to stderr, as a line

// A value for people: texts without quotes, null as "-".
std::string shown(const json::value& value);
// A member, null where it is not there. Both forms: an object made into a value would be a copy that does not live long enough.
const json::value& member(const json::object& object, std::string_view key);
const json::value& member(const json::value& object, std::string_view key);
std::string text_member(const json::object& object, std::string_view key);  // empty where it is no text
std::string text_member(const json::value& object, std::string_view key);

// Lines of columns, the first line bold.
void print_table(const std::vector<std::vector<std::string>>& rows);

// For what may take as long as the instance lives.
inline constexpr milliseconds kForEver = std::chrono::hours(24 * 365);

// Colours on a terminal, unless NO_COLOR says no.
enum class Colour { none, bold, red, green, yellow };
std::string painted(std::string_view text, Colour colour);

// One a file. Each adds its command and sets `chosen` when that is the one.
void add_serve(CLI::App& app, Action& chosen);
void add_context(CLI::App& app, Action& chosen);
void add_context_create(CLI::App& group, Action& chosen);
void add_probe(CLI::App& app, Action& chosen);
void add_status(CLI::App& app, Action& chosen);
void add_stop(CLI::App& app, Action& chosen);
void add_watch(CLI::App& app, Action& chosen);
void add_inspect(CLI::App& app, Action& chosen);
void add_logs(CLI::App& app, Action& chosen);
void add_ca(CLI::App& app, Action& chosen);
void add_gateway(CLI::App& app, Action& chosen);
void add_service(CLI::App& app, Action& chosen);
void add_completion(CLI::App& app, Action& chosen);
void add_package_files(CLI::App& app, Action& chosen);
void add_version(CLI::App& app, Action& chosen);

}  // namespace cmux::cli
