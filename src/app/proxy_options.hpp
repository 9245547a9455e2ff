// The settings as the workers take them. Pure.
#pragma once

#include "app/settings.hpp"
#include "proxy/worker.hpp"

namespace cmux::app {

proxy::Options proxy_options(const Settings& settings);

}  // namespace cmux::app
