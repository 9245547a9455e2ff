// The one table of settings: how each is called, read and printed. settings.cpp reads flags, environment and file by it.
#pragma once

#include <functional>

#include "app/settings.hpp"

namespace cmux::app {

// What a value looks like in the file.
enum class Shape { text, flag, number, number_or_text, file, list };

struct Row {
  SettingInfo info;
  Shape shape;
  // The values replace what an earlier source gave. All shapes but `list` get exactly one.
  std::function<Result<void>(Settings&, const std::vector<std::string>&)> read;
  std::function<std::string(const Settings&)> print;  // a TOML value; empty where nothing is set
  std::string_view example;
  bool (*same)(const Settings&, const Settings&) = nullptr;  // for what `print` does not show; null: it shows all
};

const std::vector<Row>& setting_rows();

}  // namespace cmux::app
