#include "candidates.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/log.hpp"
#include "cli.hpp"
#include "run_instance.hpp"

namespace cmux::cli {
namespace {

constexpr std::string_view kFiles = ":files";

bool takes_value(const CLI::Option& option) { return option.get_items_expected_min() > 0; }

const CLI::Option* flag_named(const CLI::App& command, const std::string& name) {
  for (const CLI::Option* option : command.get_options())
    if (!option->get_positional() && option->check_name(name)) return option;
  return nullptr;
}

// A command's argument without a name; all there are have one at the most.
const CLI::Option* argument_of(const CLI::App& command) {
  for (const CLI::Option* option : command.get_options())
    if (option->get_positional()) return option;
  return nullptr;
}

// What a type's name lists: "auto|on|off", "N|auto", "TEXT:{text,json}". Names in capitals stand for something else.
std::vector<std::string> values_in(const std::string& type) {
  std::vector<std::string> values;
  std::string word;
  for (const char c : type + "|") {
    if (c != '|' && c != ',' && c != '{' && c != '}' && c != ':') {
      word += c;
      continue;
    }
    const bool plain =
        std::all_of(word.begin(), word.end(), [](char each) { return each == '-' || std::islower(each) || std::isdigit(each); });
    if (plain && !word.empty()) values.push_back(word);
    word.clear();
  }
  return values;
}

std::vector<std::string> instances() {
  std::vector<std::string> names;
  const auto folder = admin::runtime_directory();
  if (!folder) return names;
  std::error_code failed;
  for (const auto& file : std::filesystem::directory_iterator(*folder, failed))
    if (file.path().extension() == ".json") names.push_back(file.path().stem().string());
  return names;
}

// "ID\tits label", of that instance.
std::vector<std::string> contexts(const std::string& instance) {
  std::vector<std::string> out;
  auto record = admin::read_instance(instance);
  if (!record) return out;
  const auto answer = admin::Client(std::move(*record)).call("GET", "/v1/contexts");
  if (!answer || !answer->ok()) return out;
  const json::array* const all = member(answer->body, "contexts").if_array();
  for (const json::value& context : all ? *all : json::array())
    out.push_back(fmt::format("{}\t{}", text_member(context, "id"), log::printable(text_member(context, "label"))));
  return out;
}

class Line {
 public:
  Line(const CLI::App& app, const std::vector<std::string>& words) : command_(&app) {
    if (const char* const named = std::getenv("CMUXPROXY_INSTANCE"); named && *named) instance_ = named;
    for (std::size_t i = 0; i + 1 < words.size() && !rest_; ++i) take(words[i], i);
    if (!words.empty()) last_ = words.back();
  }

  std::vector<std::string> candidates() const {
    if (rest_) return {fmt::format(":command {}", *rest_)};
    if (pending_) return values(*pending_, last_ == "=" ? "" : last_, "");
    const std::size_t equals = last_.find('=');
    if (last_.starts_with("--") && equals != std::string::npos) {
      const CLI::Option* const option = flag_named(*command_, last_.substr(0, equals));
      return option ? values(*option, last_.substr(equals + 1), last_.substr(0, equals + 1)) : std::vector<std::string>();
    }
    if (last_.starts_with('-')) return flags();
    std::vector<std::string> out;
    for (const CLI::App* sub : shown_commands(*command_)) add(out, sub->get_name(), sub->get_description());
    if (const CLI::Option* const argument = argument_of(*command_)) {
      const auto more = values(*argument, last_, "");
      out.insert(out.end(), more.begin(), more.end());
    } else if (out.empty()) return flags();
    return out;
  }

 private:
  void take(const std::string& word, std::size_t index) {
    if (pending_) {
      // bash takes --flag=value for three words.
      if (word == "=") return;
      if (std::exchange(pending_, nullptr)->check_name("--instance")) instance_ = word;
    } else if (word == "--" && command_->get_name() == "run") {
      rest_ = index + 1;
    } else if (word.starts_with('-')) {
      const std::size_t equals = word.find('=');
      const CLI::Option* const option = flag_named(*command_, word.substr(0, equals));
      if (!option) return;
      used_.insert(option);
      if (equals == std::string::npos) pending_ = takes_value(*option) ? option : nullptr;
      else if (option->check_name("--instance")) instance_ = word.substr(equals + 1);
    } else {
      for (const CLI::App* sub : command_->get_subcommands([](const CLI::App*) { return true; }))
        if (sub->check_name(word)) {
          command_ = sub;
          return used_.clear();
        }
    }
  }

  void add(std::vector<std::string>& out, const std::string& candidate, const std::string& meaning) const {
    if (candidate.starts_with(last_)) out.push_back(meaning.empty() ? candidate : fmt::format("{}\t{}", candidate, meaning));
  }

  std::vector<std::string> flags() const {
    std::vector<std::string> out;
    for (const CLI::Option* option : shown_flags(*command_)) {
      if (used_.contains(option) && option->get_items_expected_max() <= 1) continue;
      for (const std::string& name : option->get_lnames()) add(out, "--" + name, option->get_description());
      for (const std::string& name : option->get_snames()) add(out, "-" + name, option->get_description());
    }
    return out;
  }

  // Of a flag or argument, those that begin with `begun`, each behind `prefix`.
  std::vector<std::string> values(const CLI::Option& option, const std::string& begun, const std::string& prefix) const {
    const std::string type = option.get_type_name();
    if (type.starts_with("FILE") || type.starts_with("PATH") || type.starts_with("DIR")) return {std::string(kFiles)};
    std::vector<std::string> all = values_in(type);
    if (option.check_name("--instance")) all = instances();
    if (option.check_name("--ctx") || (option.get_positional() && type == "ID")) all = contexts(instance_);
    std::vector<std::string> out;
    for (const std::string& each : all)
      if (each.starts_with(begun)) out.push_back(prefix + each);
    return out;
  }

  const CLI::App* command_;
  const CLI::Option* pending_ = nullptr;  // wants the next word
  std::optional<std::size_t> rest_;       // where another command's line begins
  std::set<const CLI::Option*> used_;
  std::string instance_ = std::string(kDefaultInstance);
  std::string last_;
};

}  // namespace

std::vector<const CLI::App*> shown_commands(const CLI::App& command) {
  auto all = command.get_subcommands([](const CLI::App*) { return true; });
  std::erase_if(all, [](const CLI::App* each) { return each->get_group().empty(); });
  return all;
}

std::vector<const CLI::Option*> shown_flags(const CLI::App& command) {
  auto all = command.get_options();
  std::erase_if(all, [](const CLI::Option* each) { return each->get_group().empty() || each->get_positional(); });
  return all;
}

std::vector<std::string> candidates(const CLI::App& app, const std::vector<std::string>& words) {
  return Line(app, words).candidates();
}

}  // namespace cmux::cli
